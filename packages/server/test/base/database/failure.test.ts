import { describe, expect, it } from 'vitest'
import { postgresFailure } from '@countersign/server/base/database/failure'

const failed = (code: string): Error => Object.assign(new TypeError('refused'), { code })

describe('a failure of PostgreSQL', () => {
  it.each([
    ['ECONNREFUSED', 'database_failed', 'runs'],
    ['ENOTFOUND', 'database_failed', 'address'],
    ['28P01', 'database_failed', 'password'],
    ['53100', 'database_failed', 'room'],
    ['3D000', 'database_missing', 'Create'],
  ])('%s is %s, and its next step names what to look at: %s', (code, as, named) => {
    expect(postgresFailure(failed(code), 'postgres://db.example.org/x')).toMatchObject({
      code: as,
      message: 'postgres://db.example.org/x: refused',
      hint: expect.stringContaining(named) as string,
    })
  })

  it('that nothing better is known of has no next step of its own', () => {
    expect(postgresFailure(failed('42P01'), 'postgres://db.example.org/x').hint).toBeUndefined()
  })
})
