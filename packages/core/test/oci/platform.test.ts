import { describe, expect, it } from 'vitest'
import { formatPlatform, isPlatform } from '../../src/oci/platform.ts'

describe('a platform', () => {
  it('is written as os/architecture[/variant]', () => {
    expect(formatPlatform({ os: 'linux', architecture: 'amd64' })).toBe('linux/amd64')
    expect(formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' })).toBe('linux/arm/v7')
  })

  it.each([
    ['linux/arm64', 'linux/arm64', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm64/v8', 'linux/arm64/v8', true],
    ['linux/arm64', 'linux/arm64/v8', false],
    ['linux/arm/v6', 'linux/arm/v7', false],
    ['linux/arm64/v8', 'linux/arm', false],
    ['linux/amd64', 'linux', false],
    ['linux/amd64', '', false],
  ])('%s is called %s: %s', (platform, named, expected) => {
    expect(isPlatform(platform, named)).toBe(expected)
  })
})
