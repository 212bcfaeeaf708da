import { predicateTypes } from '@countersign/core/predicate/types'
import { expect, it } from 'vitest'
import { attestationTypeFlag } from '../../src/flags/attestation-type.ts'

it('the help of --type names every short name that there is', () => {
  expect(attestationTypeFlag.choices?.toSorted()).toEqual(Object.keys(predicateTypes).toSorted())
})
