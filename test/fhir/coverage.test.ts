import { describe, expect, it } from 'vitest'
import { type Resource, bundle, idFor, map, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const coverage = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Coverage',
  id: 'coverage',
  status: 'active',
  type: { text: 'Medicare' },
  beneficiary: { reference: 'Patient/ada' },
  payor: [{ display: 'Medicare' }],
  ...changes,
})
const settlement = (id: string, held: object, changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'ExplanationOfBenefit',
  id,
  patient: { reference: 'Patient/ada' },
  contained: [{ resourceType: 'ServiceRequest', id: 'referral' }, held],
  ...changes,
})

const payorOf = (payor: object): unknown =>
  valuesOf(recordsOf(map(bundle(patient(), coverage({ payor: [payor] }))), 'Coverage')[0])['Coverage.payor']

describe('a coverage', () => {
  it('has the fields of the API', () => {
    const period = { start: '2024-01-01', end: '2024' }
    const type = { coding: [{ code: 'HIP', display: 'health insurance plan policy' }] }
    const [record] = recordsOf(map(bundle(patient(), coverage({ period, type, subscriberId: 'S-1' }))), 'Coverage')
    expect(record?.ref.id).toBe(idFor('Coverage', 'coverage'))
    expect(valuesOf(record)).toEqual({
      'Coverage.payor': 'Medicare',
      'Coverage.subscriberId': 'S-1',
      'Coverage.type': 'HIP',
      'Coverage.period': period,
    })
    expect(record?.metadata).toMatchObject({ references: {}, date: '2024-01-01T00:00:00.000Z', codes: ['HIP'] })
  })

  it('P8: names no patient and no relative as its payor', () => {
    expect(payorOf({ display: 'Medicare' })).toBe('Medicare')
    expect(payorOf({ reference: 'Organization/o', display: 'Aetna' })).toBe('Aetna')
    expect(payorOf({ reference: 'Patient/ada', display: 'Ada Byron' })).toBeUndefined()
    expect(payorOf({ reference: 'RelatedPerson/r', display: 'Someone Else' })).toBeUndefined()
    expect(payorOf({ type: 'RelatedPerson', display: 'Someone Else' })).toBeUndefined()
    expect(payorOf({ display: 'Mrs. Ada Byron' })).toBeUndefined()
  })
})

describe('coverages within settlements', () => {
  it('are one record for each distinct coverage, with ids that do not depend on order or container', () => {
    const settlements = [
      settlement('s1', coverage()),
      settlement('s2', coverage({ id: 'other' })),
      settlement('s3', coverage({ payor: [{ display: 'Aetna' }] })),
    ]
    const one = map(bundle(patient(), ...settlements))
    const other = map(bundle(...settlements.toReversed(), patient()))
    const records = recordsOf(one, 'Coverage')
    expect(records.map((record) => valuesOf(record)['Coverage.payor'])).toEqual(['Medicare', 'Aetna'])
    expect(new Set(recordsOf(other, 'Coverage'))).toEqual(new Set(records))
    expect([...one.unknown]).toEqual([['ExplanationOfBenefit', 3]])
  })

  it('are not shared between patients, and exist beside a coverage of the bundle', () => {
    const bob = { reference: 'Patient/bob' }
    const mapped = map(
      bundle(
        patient(),
        patient({ id: 'bob' }),
        coverage(),
        settlement('s1', coverage()),
        settlement('s2', coverage({ beneficiary: bob }), { patient: bob }),
      ),
    )
    expect(mapped.faults).toEqual([])
    expect(new Set(recordsOf(mapped, 'Coverage').map(({ ref }) => ref.id)).size).toBe(3)
  })

  it.each([
    [settlement('s', coverage({ beneficiary: { reference: 'Patient/bob' } })), 'Coverage.beneficiary: belongs to another patient'],
    [settlement('s', coverage({ beneficiary: undefined })), 'Coverage.beneficiary: its patient is not among the imported ones'],
    [
      settlement('s', coverage(), { patient: { reference: 'Patient/far' } }),
      'ExplanationOfBenefit.patient: its patient is not among the imported ones',
    ],
    [
      settlement('s', coverage(), { modifierExtension: [] }),
      'ExplanationOfBenefit: carries a modifierExtension, which must not be ignored',
    ],
    [settlement('s', coverage({ subscriberId: 7 })), 'Coverage.subscriberId: missing or of the wrong type'],
    [
      settlement('s', { resourceType: 'Coverage', beneficiary: { reference: 'Patient/ada' } }),
      'Coverage: missing or of the wrong type',
    ],
  ])('are refused if their owner or content is ambiguous or malformed: %#', (resource, reason) => {
    const mapped = map(bundle(patient(), patient({ id: 'bob' }), resource))
    expect(reasonsOf(mapped)).toEqual([reason])
    expect(recordsOf(mapped, 'Coverage')).toEqual([])
  })

  it('are left out if they do not apply', () => {
    const mapped = map(bundle(patient(), settlement('s', coverage({ status: 'cancelled' }))))
    expect(recordsOf(mapped, 'Coverage')).toEqual([])
    expect(mapped.faults).toEqual([])
  })
})
