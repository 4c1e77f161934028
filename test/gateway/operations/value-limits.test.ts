import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS, limitOf, LimitsText } from '../../../gateway/operations/value-limits.ts'
import { callerWith, clinic } from '../decide/clinic-policy.ts'

describe('limits by the kind of role', () => {
  it('have defaults', () => {
    expect(LimitsText.parse('{}')).toEqual(DEFAULT_LIMITS)
    const some = LimitsText.parse('{"operation": {"PARTNER": 7}, "hour": {"PATIENT": 0}}')
    expect(some.operation).toEqual({ ...DEFAULT_LIMITS.operation, PARTNER: 7 })
    expect(some.hour).toEqual({ ...DEFAULT_LIMITS.hour, PATIENT: 0 })
    expect(some.answer).toEqual(DEFAULT_LIMITS.answer)
    expect(LimitsText.parse('{"answer": {"bytes": 100000}}').answer).toEqual({ ...DEFAULT_LIMITS.answer, bytes: 100_000 })
    expect(DEFAULT_LIMITS.breakGlass.CLINICIAN).toBe(60)
    expect(LimitsText.parse('{"breakGlass": {"CLINICIAN": 5}}').breakGlass).toEqual({ ...DEFAULT_LIMITS.breakGlass, CLINICIAN: 5 })
  })

  it.each([
    '',
    '{',
    '[]',
    '{"hours": {}}',
    '{"hour": {"PHYSICIAN": 1}}',
    '{"hour": {"STAFF": -1}}',
    '{"hour": {"STAFF": "1"}}',
    '{"answer": {"bytes": 0}}',
    '{"answer": {"bytes": 6291456}}',
    '{"answer": {"places": -1}}',
  ])('are rejected if invalid: %s', (text) => {
    expect(LimitsText.safeParse(text).success).toBe(false)
  })

  it('of several roles are those of the role with the highest limit for the claimed purpose', () => {
    const limits = { ...DEFAULT_LIMITS.hour, CLINICIAN: 10, STAFF: 20, RESEARCH: 30 }
    expect(limitOf(limits, clinic.policy, callerWith(['NURSE'], 'TREAT'))).toBe(10)
    expect(limitOf(limits, clinic.policy, callerWith(['BILLING', 'RESEARCHER'], 'HRESCH'))).toBe(30)
    expect(limitOf(limits, clinic.policy, callerWith(['BILLING', 'RESEARCHER'], 'HPAYMT'))).toBe(20)
  })

  it('P3: of unknown roles, or of no role, are zero', () => {
    expect(limitOf(DEFAULT_LIMITS.hour, clinic.policy, callerWith(['SOMEBODY'], 'TREAT'))).toBe(0)
    expect(limitOf(DEFAULT_LIMITS.hour, clinic.policy, callerWith([], 'TREAT'))).toBe(0)
  })
})
