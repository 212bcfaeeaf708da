import { predicateTypes } from '@countersign/core/predicate/types'
import { expect, it } from 'vitest'
import { predicateNames } from '../../src/flags/signing.ts'

it('the help of --type names every short name that there is', () => {
  expect(predicateNames.toSorted()).toEqual(Object.keys(predicateTypes).toSorted())
})
