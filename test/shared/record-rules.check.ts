import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import { clinicLabels, idFor, riverside } from '../fhir/clinic.ts'
import { compare, newComparison } from '../fhir/written-facts.ts'
import { bundlesOf } from './folder.ts'

/** Records whose resource says more than their values, which are the fields of the API. */
const ONLY_IN_RESOURCES = {
  // the API has no field for the category of these types
  'AllergyIntolerance.categories': 8,
  'Condition.categories': 3,
  'DocumentReference.categories': 310,
  // the items of a claim have codes of procedures and tests. The API has only the diagnoses of a claim
  'Claim.labels': 51,
}

/** Values of the source that FHIR R4 does not allow. The import takes them as they are, and a client must correct them. */
const FAULTS_OF_SOURCE = {
  // `mmHg`, `beats/minute` and `(score)`, which the source calls UCUM
  'Observation.valueQuantity.code is not a UCUM unit.': 22,
  // `vital-sign`, without its last letter
  'Observation.category is not a code of http://hl7.org/fhir/ValueSet/observation-category.': 2,
}

it('the rules of written values agree with the import on the Synthea bundles, but for what only a resource says', async () => {
  const found = newComparison()
  const now = Date.now() as Instant
  const folders = ['biocfhir-30', 'hiv-5'].map((name) => join(process.env['PHI_SHARED'] ?? '', 'data/synthea', name))
  const options = {
    tenant: riverside,
    idFor,
    assign: new Map<string, string>(),
    now: new Date(now).toISOString(),
    labels: clinicLabels,
  }
  for await (const bundle of bundlesOf(folders))
    for (const { records } of mapBundle(bundle, { ...options, assign: new Map() }).patients)
      for (const record of records) compare(found, record, now)
  expect(found.records).toBeGreaterThan(10_000)
  expect(found.facts).toEqual(ONLY_IN_RESOURCES)
  expect(found.faults).toEqual(FAULTS_OF_SOURCE)
}, 120_000)
