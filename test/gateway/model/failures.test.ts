import { describe, expect, it } from 'vitest'
import { causeName } from '../../../gateway/telemetry/events.ts'
import * as failures from '../../../gateway/model/failures.ts'
import { tenantId } from '../../../gateway/model/ids.ts'

const made = [
  new failures.IntegrityFailure(),
  new failures.KeyUnavailable(),
  new failures.StoreUnavailable(),
  new failures.AuditUnavailable(),
  new failures.VersionConflict(),
  new failures.Unauthenticated(),
  new failures.BadUserInput(),
  new failures.BadRequest(),
  new failures.MfaRequired(),
  new failures.OperationsUnavailable(),
]

describe('P8: a failure has a code and a cause, never a value', () => {
  it.each(made.map((failure) => [failure.name, failure] as const))('%s has a code of the HTTP table', (name, failure) => {
    expect(Object.keys(failures.HTTP_STATUS)).toContain(failure.code)
    expect(failure).toBeInstanceOf(failures.Failure)
    expect(causeName(failure)).toBe(name)
  })

  it('the cause of a failure is the name of its class', () => {
    expect(causeName(new RangeError('999-62-6858'))).toBe('RangeError')
    expect(causeName('999-62-6858')).toBe('string')
    expect(causeName(undefined)).toBe('undefined')
  })
})

describe('P5: a tenant name can be part of a key', () => {
  it.each(['riverside', 'a', 'lake-side-2', 'a'.repeat(63)])('%s', (name) => {
    expect(tenantId(name)).toBe(name)
  })

  it.each(['', '-a', 'a-', 'River', 'a#b', 'a b', 'a\n', 'ä', 'a'.repeat(64), '../a'])('%j is not a tenant name', (name) => {
    expect(tenantId(name)).toBeUndefined()
  })
})
