import { describe, expect, it } from 'vitest'
import { bundle, idFor, map, patient, reasonsOf } from './clinic.ts'

const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason'
const label = (code: string) => ({ system: ACT_CODE, code })
const purpose = (code: string) => ({ system: ACT_REASON, code })

const consent = (provision: object, status = 'active') => ({
  resourceType: 'Consent',
  id: 'c1',
  status,
  patient: { reference: 'Patient/ada' },
  provision,
})
const id = idFor('Consent', 'c1')
const read = (provision: object, status?: string) => {
  const mapped = map(bundle(patient(), consent(provision, status)))
  return { consents: mapped.patients[0]?.consents, faults: reasonsOf(mapped) }
}

describe('a FHIR consent', () => {
  it('permits by label, purpose, period and person', () => {
    const { consents, faults } = read({
      type: 'permit',
      period: { start: '2024-01-01T00:00:00Z', end: '2024-12-31' },
      actor: [
        { role: { text: 'x' }, reference: { reference: 'Practitioner/p1' } },
        { reference: { reference: 'Organization/o1' } },
      ],
      securityLabel: [label('ETH')],
      purpose: [purpose('TREAT')],
    })
    const same = {
      effect: 'PERMIT',
      labels: ['ETH'],
      purposes: ['TREAT'],
      since: Date.UTC(2024, 0, 1),
      until: Date.UTC(2025, 0, 1),
    }
    expect(consents?.given).toEqual([
      { id: `${id}.1`, ...same, actor: 'Practitioner/p1' },
      { id: `${id}.2`, ...same, actor: 'Organization/o1' },
    ])
    expect(faults).toEqual([])
  })

  it('denies by encounter the services that the patient paid for (164.522(a)(1)(vi))', () => {
    const data = [{ meaning: 'related', reference: { reference: 'Encounter/e1' } }]
    expect(read({ type: 'deny', purpose: [purpose('HPAYMT')], data }).consents?.given).toEqual([
      { id: `${id}.1`, effect: 'DENY', purposes: ['HPAYMT'], records: [idFor('Encounter', 'e1')] },
    ])
  })

  it('nested rules hold within their parent rules', () => {
    const { consents } = read({ period: { start: '2024-01-01' }, provision: [{ type: 'deny', securityLabel: [label('HIV')] }] })
    expect(consents?.given).toEqual([{ id: `${id}.1`, effect: 'DENY', labels: ['HIV'], since: Date.UTC(2024, 0, 1) }])
  })

  it.each(['inactive', 'rejected', 'entered-in-error', 'draft', 'proposed'])('%s is withdrawn', (status) => {
    expect(read({ type: 'permit', securityLabel: [label('ETH')] }, status).consents).toEqual({ given: [], withdrawn: [id] })
  })

  it.each([
    ['a label', { securityLabel: [label('ETH'), label('OPIOIDUD')] }],
    ['a purpose', { securityLabel: [label('ETH')], purpose: [purpose('HMARKT')] }],
    ['an actor', { securityLabel: [label('ETH')], actor: [{ reference: { reference: 'Device/d1' } }] }],
    ['a class', { securityLabel: [label('ETH')], class: [{ code: 'x' }] }],
    ['a period of data', { securityLabel: [label('ETH')], dataPeriod: { start: '2024' } }],
    ['data', { securityLabel: [label('ETH')], data: [{ meaning: 'instance', reference: { reference: 'Encounter/e1' } }] }],
  ])('P3: %s that cannot be mapped permits nothing', (_what, narrowing) => {
    const { consents, faults } = read({ type: 'permit', ...narrowing })
    expect(consents?.given).toEqual([])
    expect(faults).toEqual(['Consent.provision: cannot be expressed here, so that nothing is permitted by it'])
  })

  it('P3: a condition of a denial that cannot be mapped makes it wider', () => {
    const narrowed = {
      securityLabel: [label('OPIOIDUD')],
      purpose: [purpose('HPAYMT')],
      actor: [{ reference: { reference: 'Device/d1' } }],
    }
    const { consents, faults } = read({ type: 'deny', ...narrowed })
    // break-glass opens what only the missing criteria close
    expect(consents?.given).toEqual([{ id: `${id}.1`, effect: 'DENY', purposes: ['HPAYMT'], breakGlass: true }])
    expect(faults).toEqual(['Consent.provision: cannot be expressed here, so that more is denied by it'])
  })

  it('an exception to a denial is reported; a permission without a label permits no labeled record', () => {
    const { consents, faults } = read({ type: 'deny', provision: [{ type: 'permit', securityLabel: [label('ETH')] }] })
    expect(consents?.given.map(({ effect }) => effect)).toEqual(['DENY', 'PERMIT'])
    expect(faults).toHaveLength(1)
    expect(read({ type: 'permit' })).toEqual({ consents: { given: [], withdrawn: [id] }, faults: [] })
  })

  it('with neither effect, or of an unknown patient, is a fault', () => {
    expect(read({}).faults).toEqual(['Consent.provision.type: missing or of the wrong type'])
    const strange = { ...consent({ type: 'permit' }), patient: { reference: 'Patient/other' } }
    expect(reasonsOf(map(bundle(patient(), strange)))).toEqual(['Consent.patient: its patient is not among the imported ones'])
  })
})
