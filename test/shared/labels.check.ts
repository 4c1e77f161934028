import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sensitivities } from '../../directives/sensitivities.ts'
import { codeLabels } from '../../fhir/labels.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import { clinicLock } from '../../schema/clinic.ts'
import type { RecordId, TenantId } from '../../gateway/model/ids.ts'
import { bundlesOf } from './folder.ts'

/** Words about HIV as a reader of the files recognizes them, in the display of any code of an observation. */
const TELLING = /\bHIV\b|antiretroviral|CD4|zidovudine|lamivudine|nevirapine|abacavir|lopinavir|nelfinavir|stavudine|tenofovir/i

it('the Synthea bundles of patients with HIV are labeled on import: every observation about it, and no other', async () => {
  const folder = join(process.env['PHI_SHARED'] ?? '', 'data/synthea/hiv-5')
  const labels = codeLabels(sensitivities(clinicLock()))
  const options = {
    tenant: 'riverside' as TenantId,
    idFor: (type: string, id: string) => `${type}/${id}` as RecordId,
    assign: new Map(),
  }
  let telling = 0
  for await (const bundle of bundlesOf([folder])) {
    const { entry } = bundle as { entry: { resource: Record<string, unknown> }[] }
    const expected = new Set<string>()
    for (const { resource } of entry) {
      if (resource['resourceType'] !== 'Observation') continue
      const { code, valueCodeableConcept, component } = resource
      if (TELLING.test(JSON.stringify([code, valueCodeableConcept, component])))
        expected.add(`Observation/${String(resource['id'])}`)
    }
    const { patients } = mapBundle(bundle, { ...options, now: new Date().toISOString(), labels })
    const found = patients.flatMap(({ records }) =>
      records.filter(
        ({ ref, metadata }) => ref.type === 'Observation' && metadata.labels?.some((label) => (label as string) === 'HIV'),
      ),
    )
    expect(new Set(found.map(({ ref }) => ref.id as string))).toEqual(expected)
    expect(expected.size).toBeGreaterThan(0)
    telling += expected.size
  }
  expect(telling).toBe(44)
})
