/** The two time types of DER (X.690 §11.7, §11.8) as Unix milliseconds. */
import { CountersignError } from '../failure.ts'

const dayMs = 86_400_000
const utcTime = /^[0-9]{12}Z$/
const generalizedTime = /^[0-9]{14}(?:\.[0-9]{0,8}[1-9])?Z$/

/** UTCTime `YYMMDDHHMMSSZ` as Unix milliseconds; years 50 to 99 are 19xx (RFC 5280 §4.1.2.5.1). Throws `der_malformed`. */
export function utcTimeToMs(text: string): number {
  if (!utcTime.test(text)) throw malformed()
  const year = Number(text.slice(0, 2))
  return civilToMs(year < 50 ? 2000 + year : 1900 + year, text.slice(2, 12), 0)
}

/**
 * GeneralizedTime `YYYYMMDDHHMMSS[.f]Z` as Unix milliseconds, at most nine digits of fraction, cut to whole milliseconds.
 * A fraction that ends in zero is a second spelling of the same time and refused (X.690 §11.7.3). Throws `der_malformed`.
 */
export function generalizedTimeToMs(text: string): number {
  if (!generalizedTime.test(text)) throw malformed()
  const fraction = text.slice(15, -1)
  return civilToMs(Number(text.slice(0, 4)), text.slice(4, 14), Number(fraction.slice(0, 3).padEnd(3, '0')))
}

function civilToMs(year: number, monthToSecond: string, ms: number): number {
  const field = (index: number): number => Number(monthToSecond.slice(2 * index, 2 * index + 2))
  const [month, day, hour, minute, second] = [field(0), field(1), field(2), field(3), field(4)]
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) throw malformed()
  if (hour > 23 || minute > 59 || second > 59) throw malformed()
  return daysSinceEpoch(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1000 + ms
}

function daysInMonth(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Gregorian calendar; years begin in March so that the leap day is the last of its year. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468
}

function malformed(): CountersignError {
  return new CountersignError('der_malformed', 'a time is not UTC in DER form (X.690 §11.7, §11.8)')
}
