import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sensitivities } from '../../directives/sensitivities.ts'
import { codeLabels } from '../../fhir/labels.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { at, auditOf, first, nodesAt, RIVERSIDE } from '../gateway/asking.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { bundlesOf } from './folder.ts'

const HBA1C = '4548-4'

interface Resource {
  readonly resourceType: string
  readonly code?: { readonly coding?: readonly { readonly code?: string }[] }
  readonly effectiveDateTime?: string
  readonly valueQuantity?: { readonly value?: number }
}

/** The expected values, read from the source without the import: the latest ten, newest first. */
function latestOf(text: string): { value: number | undefined; at: number }[] {
  const { entry } = JSON.parse(text) as { entry: readonly { readonly resource: Resource }[] }
  return entry
    .map(({ resource }) => resource)
    .filter(
      ({ resourceType, code }) => resourceType === 'Observation' && code?.coding?.some(({ code: one }) => one === HBA1C) === true,
    )
    .map(({ effectiveDateTime = '', valueQuantity }) => ({ value: valueQuantity?.value, at: Date.parse(effectiveDateTime) }))
    .toSorted((a, b) => b.at - a.at)
}

describe('a Synthea patient with many HbA1c values', () => {
  let clinic: RunningClinic
  let id: string
  let expected: ReturnType<typeof latestOf>

  beforeAll(async () => {
    clinic = await runClinic({ riverside: 1, lakeside: 1 })
    const bundles = join(process.env['PHI_SHARED'] ?? '', 'data/synthea/biocfhir-30')
    let text = ''
    for await (const bundle of bundlesOf([bundles])) {
      const one = JSON.stringify(bundle)
      if (latestOf(one).length > latestOf(text === '' ? '{"entry":[]}' : text).length) text = one
    }
    expected = latestOf(text)
    const store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
    const labels = codeLabels(sensitivities(clinicLock()))
    const options = { tenant: RIVERSIDE, idFor: store.idFor, now: new Date().toISOString(), assign: new Map(), labels }
    const { patients, faults } = mapBundle(JSON.parse(text), options)
    expect(faults).toEqual([])
    const one = first(patients)
    const member = { patient: one.patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] } as const
    await store.write({ ...one, memberships: [...one.memberships, member] })
    await store.close()
    id = encodeNodeId({ type: 'Patient' as TypeName, patient: one.patient, id: first(one.records).ref.id })
  })
  afterAll(() => clinic.stop())

  it('has the ten latest in order on one page, and nothing else of the history is opened', async () => {
    expect(expected.length).toBeGreaterThan(10)
    const query = `query ($id: ID!) { patient(id: $id) { observations(code: "${HBA1C}", first: 10) {
      edges { node { effectiveDateTime valueQuantity { value } } } pageInfo { hasNextPage }
    } } }`
    const answer = await clinic.ask('physician', query, { id })
    const given = nodesAt(answer.data, 'patient', 'observations').map((node) => ({
      value: at(node, 'valueQuantity', 'value'),
      at: Date.parse(String(at(node, 'effectiveDateTime'))),
    }))
    expect(given).toEqual(expected.slice(0, 10))
    expect(at(answer.data, 'patient', 'observations', 'pageInfo', 'hasNextPage')).toBe(true)
    expect(answer.phi.resolved).toBe(20)
    expect(await auditOf(clinic, answer)).toHaveLength(21)
  })
})
