import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { DEMO_STUDIES } from '../../../infra/local/users.ts'
import { AbsentPatientAccess } from '../../../gateway/crypto/decoy-openings.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { openStudyAdmin, type StudyAdmin } from '../../../gateway/admin/study-admin.ts'
import { keyRotation } from '../../../gateway/admin/key-admin.ts'
import { studiesKey } from '../../../gateway/store/studies.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Instant, PatientId, RecordId, TenantId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Identifier } from '../../../directives/policy.ts'
import type { Json, NewRecord } from '../../../gateway/model/record.ts'
import { studyReference } from '../../../gateway/model/study.ts'
import { canaryPatient } from '../../harness/canary-patient.ts'
import { allFormsOf } from '../../harness/leak-search.ts'
import { importResources } from '../../harness/imported.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { at, auditOf, first, madeUpId, nodesAt, outcomesOf, patientsOf, pseudonymOf, RIVERSIDE, STUDY } from '../asking.ts'
import { accessManifest, DatabaseHand, flipped } from '../store/database-hand.ts'

const RESEARCHER = 'Practitioner/researcher'
const IN_STUDY = 12
const SECOND = 'SECOND-2'
const LATER = Date.parse('2040-01-01T00:00:00Z') as Instant

let clinic: RunningClinic
let store: SealedStore
let hand: DatabaseHand

beforeAll(async () => {
  clinic = await runClinic({ riverside: IN_STUDY + 2, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  hand = new DatabaseHand(clinic)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})
// each test starts with the study that another test may have ended
afterEach(async () => {
  await study(STUDY)
  await store.writeStudy({ protocol: SECOND, researchers: [], until: 0 as Instant })
})

const study = async (protocol: string, { until = LATER, researchers = [RESEARCHER], since = 0 as Instant } = {}): Promise<void> =>
  await store.writeStudy({ protocol, researchers, since, until })
const patientId = (number: number): PatientId => store.idFor('Patient', `riverside-${number}`) as string as PatientId
const realId = (patient: PatientId): string =>
  encodeNodeId({ type: 'Patient' as TypeName, patient, id: patient as string as RecordId })
const enroll = async (protocol: string, patient: PatientId, period: { since?: string; until?: string } = {}): Promise<void> => {
  const membership = { patient, relationship: 'STUDY', fhirUser: studyReference(protocol), periods: [period] } as const
  await store.write({ patient, records: [], memberships: [membership] })
}

const PANEL =
  'query ($first: Int = 100, $after: String) { patients(first: $first, after: $after) { edges { node { id } } pageInfo { endCursor } } }'
const ONE = 'query ($id: ID!) { patient(id: $id) { id birthDate } }'
const under = (protocol: string): Record<string, string> => ({ 'x-research-study': protocol })
const panel = async (headers?: Record<string, string>): Promise<string[]> => {
  const answer = await clinic.ask('researcher', PANEL, {}, headers)
  expect(answer.errors).toEqual([])
  return nodesAt(answer.data, 'patients').map((node) => String(at(node, 'id')))
}

describe('C18: a researcher acts under a study, and knows its patients by pseudonym', () => {
  it('the panel equals that of the study; each id resolves to its record over every root and edge, and is stable', async () => {
    const ids = await panel()
    const expected = await Promise.all(
      Array.from({ length: IN_STUDY }, (_, index) => pseudonymOf(clinic, realId(patientId(index + 1)))),
    )
    expect(ids.toSorted()).toEqual(expected.toSorted())
    expect(await panel()).toEqual(ids)
    const id = first(ids)
    const answer = await clinic.ask(
      'researcher',
      `query ($id: ID!) { node(id: $id) { id } patient(id: $id) { id observations(first: 2) { edges { node { id patient { id } } } } } }`,
      { id },
    )
    expect(answer.data).toMatchObject({ node: { id }, patient: { id } })
    const observations = nodesAt(answer.data, 'patient', 'observations')
    expect(observations.map((node) => at(node, 'patient', 'id'))).toEqual([id, id])
    const observation = String(at(observations[0], 'id'))
    expect(observation).toHaveLength(id.length)
    const alone = await clinic.ask('researcher', 'query ($id: ID!) { node(id: $id) { id } }', { id: observation })
    expect(alone.data).toEqual({ node: { id: observation } })
    const asPatient = await clinic.ask('researcher', ONE, { id: observation })
    expect(asPatient.data).toEqual({ patient: null })
  })

  it('the audit names the patient who it is, and the study, which is the basis of each value and edge', async () => {
    const since = '2026-01-01T00:00:00.000Z'
    await enroll(STUDY, patientId(1), { since })
    const id = await pseudonymOf(clinic, realId(patientId(1)))
    const query = 'query ($id: ID!) { patient(id: $id) { birthDate familyName conditions(first: 1) { edges { cursor } } } }'
    const entries = await auditOf(clinic, await clinic.ask('researcher', query, { id }))
    const about = { patient: patientId(1), study: STUDY }
    const basis = { basis: 'STUDY', basisId: STUDY, since }
    expect(entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toMatchObject([
      { ...about, path: 'Patient.birthDate', outcome: 'MASKED', ...basis },
      { ...about, path: 'Patient.conditions', outcome: 'DISCLOSED', ...basis },
      { ...about, path: 'Patient.familyName', outcome: 'DENIED' },
    ])
    expect(entries.find(({ outcome }) => outcome === 'DENIED')).not.toHaveProperty('basis')
    await enroll(STUDY, patientId(1))
    const others = await auditOf(clinic, await clinic.ask('billing', ONE, { id: realId(patientId(1)) }))
    expect(others[0]).not.toHaveProperty('study')
  })

  it('P5: a patient outside the study, by id or over an edge, is NOT_FOUND; so is any real id', async () => {
    const outside = patientId(IN_STUDY + 1)
    const answers = await clinic.ask(
      'billing',
      'query ($id: ID!) { patient(id: $id) { claims(first: 1) { edges { node { id } } } } }',
      { id: realId(outside) },
    )
    const claim = String(at(nodesAt(answers.data, 'patient', 'claims')[0], 'id'))
    const nobody = bytesOf(await clinic.ask('researcher', ONE, { id: madeUpId() }))
    for (const id of [await pseudonymOf(clinic, realId(outside)), realId(outside), realId(patientId(1)), claim]) {
      expect(bytesOf(await clinic.ask('researcher', ONE, { id }))).toBe(nobody)
    }
    expect(await panel()).not.toContain(await pseudonymOf(clinic, realId(outside)))
    const hidden = await auditOf(clinic, await clinic.ask('researcher', ONE, { id: await pseudonymOf(clinic, realId(outside)) }))
    expect(hidden).toMatchObject([{ patient: outside, outcome: 'DENIED', reason: 'RELATIONSHIP', study: STUDY }])
    const edge = 'query ($id: ID!) { node(id: $id) { id ... on Observation { patient { id } } } }'
    const observed = await clinic.ask(
      'billing',
      'query ($id: ID!) { patient(id: $id) { encounters(first: 1) { edges { node { id } } } } }',
      { id: realId(outside) },
    )
    const visit = String(at(nodesAt(observed.data, 'patient', 'encounters')[0], 'id'))
    expect((await clinic.ask('researcher', edge, { id: await pseudonymOf(clinic, visit) })).data).toEqual({ node: null })
  })

  it('with two studies the request must name one; ids and cursors of one are invalid in the other', async () => {
    await study(SECOND)
    for (const number of [1, IN_STUDY + 1]) await enroll(SECOND, patientId(number))
    expect(await panel()).toEqual([])
    const [one, two] = [await panel(under(STUDY)), await panel(under(SECOND))]
    expect([one.length, two.length]).toEqual([IN_STUDY, 2])
    expect(one.filter((id) => two.includes(id))).toEqual([])
    const nobody = bytesOf(await clinic.ask('researcher', ONE, { id: madeUpId() }, under(STUDY)))
    expect(bytesOf(await clinic.ask('researcher', ONE, { id: first(two) }, under(STUDY)))).toBe(nobody)
    expect(bytesOf(await clinic.ask('researcher', ONE, { id: first(two) }))).toBe(nobody)
    expect((await clinic.ask('researcher', ONE, { id: first(two) }, under(SECOND))).errors).toEqual([])
    const after = at((await clinic.ask('researcher', PANEL, { first: 1 }, under(SECOND))).data, 'patients', 'pageInfo', 'endCursor')
    expect((await clinic.ask('researcher', PANEL, { after }, under(STUDY))).status).toBe(400)
  })

  it('a study without the researcher is NOT_FOUND, like a study that does not exist', async () => {
    await study(SECOND, { researchers: ['Practitioner/somebody'] })
    await enroll(SECOND, patientId(1))
    const ids = [realId(patientId(1)), await pseudonymOf(clinic, realId(patientId(1)), SECOND)]
    for (const id of ids) {
      const theirs = await clinic.ask('researcher', ONE, { id }, under(SECOND))
      const none = await clinic.ask('researcher', ONE, { id }, under('NEVER'))
      expect(theirs.data).toEqual({ patient: null })
      expect(bytesOf(theirs)).toBe(bytesOf(none))
    }
    for (const name of [SECOND, 'NEVER', '', 'x'.repeat(5_000)]) expect(await panel(under(name))).toEqual([])
    // for a caller that is no researcher, the header has no effect
    const answer = await clinic.ask('billing', ONE, { id: realId(patientId(1)) }, under(STUDY))
    expect(answer.data).toMatchObject({ patient: { id: realId(patientId(1)) } })
  })

  it('pseudonyms are equal after a rotation of the tenant key', async () => {
    const ids = await panel()
    await keyRotation(clinic.services, '0'.repeat(64)).rotate(RIVERSIDE)
    const cold = await clinic.another()
    const answer = await cold.ask('researcher', PANEL)
    expect(nodesAt(answer.data, 'patients').map((node) => at(node, 'id'))).toEqual(ids)
  })
})

describe('P13: an ended study closes at the next request', () => {
  it('an expired study, or one that has not begun, has no list and no patient', async () => {
    const id = first(await panel())
    for (const period of [{ until: (Date.now() - 1) as Instant }, { since: (Date.now() + 60_000) as Instant }]) {
      await study(STUDY, period)
      expect(await panel()).toEqual([])
      expect((await clinic.ask('researcher', ONE, { id })).data).toEqual({ patient: null })
    }
  })

  it('between two pages, the study ends or the researcher is removed', async () => {
    let later = 0
    const process = await clinic.another({ now: () => Date.now() + later })
    const pageAfter = async (end: () => Promise<void> | void): Promise<ClinicAnswer> => {
      const one = await process.ask('researcher', PANEL, { first: 3 })
      expect(nodesAt(one.data, 'patients')).toHaveLength(3)
      const after = at(one.data, 'patients', 'pageInfo', 'endCursor')
      await end()
      return await process.ask('researcher', PANEL, { first: 3, after })
    }
    await study(STUDY, { until: (Date.now() + 30_000) as Instant })
    const ended = await pageAfter(() => void (later = 31_000))
    // a cursor of an ended study is invalid
    expect(ended.status).toBe(400)
    expect(ended.data).toBeUndefined()
    later = 0
    await study(STUDY)
    expect((await pageAfter(() => study(STUDY, { researchers: [] }))).status).toBe(400)
  })

  it('a patient that leaves the study is missing from the list and by id', async () => {
    const id = await pseudonymOf(clinic, realId(patientId(5)))
    expect(await panel()).toContain(id)
    await enroll(STUDY, patientId(5), { until: new Date(Date.now() - 1_000).toISOString() })
    expect(await panel()).not.toContain(id)
    expect((await clinic.ask('researcher', ONE, { id })).data).toEqual({ patient: null })
    await enroll(STUDY, patientId(5))
    expect(await panel()).toContain(id)
  })
})

describe('P6, P9: unreadable parts of a study yield FIELD_UNAVAILABLE, never a value and never an empty list', () => {
  const expectUnavailable = ({ status, data, errors, phi }: ClinicAnswer, root: string): void => {
    expect(status).toBe(200)
    expect(data).toEqual({ [root]: null })
    expect(errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(phi.resolved).toBe(0)
  }

  it('a damaged item of the studies: no id, no list and no further page', async () => {
    const id = first(await panel())
    const after = at((await clinic.ask('researcher', PANEL, { first: 1 })).data, 'patients', 'pageInfo', 'endCursor')
    const { pk, sk } = studiesKey(RIVERSIDE)
    const item = await hand.read({ pk: { S: pk }, sk: { S: sk } }, 'ACCESS')
    await hand.put({ ...item, v: flipped(item['v']) }, 'ACCESS')
    try {
      expectUnavailable(await clinic.ask('researcher', PANEL, { after }), 'patients')
      expectUnavailable(await clinic.ask('researcher', ONE, { id }), 'patient')
      expect(clinic.events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE' }))
      expect((await clinic.ask('physician', ONE, { id: realId(patientId(1)) })).errors).toEqual([])
    } finally {
      await hand.put(item, 'ACCESS')
    }
    expect(await panel()).toContain(id)
  })

  it('a removed or forged place of a patient in the study', async () => {
    const real = realId(patientId(2))
    const id = await pseudonymOf(clinic, real)
    const items = await hand.all(real, 'ACCESS')
    const item = first(items.filter(({ sk }) => sk?.S?.startsWith('STUDY#')))
    const manifest = await hand.read(accessManifest(real), 'ACCESS')
    await hand.put({ ...manifest, v: flipped(manifest['v']) }, 'ACCESS')
    expectUnavailable(await clinic.ask('researcher', ONE, { id }), 'patient')
    await hand.put(manifest, 'ACCESS')
    // the index by user only finds patients
    await hand.remove(item, 'ACCESS')
    expect((await clinic.ask('researcher', ONE, { id })).errors).toEqual([])
    await hand.put(item, 'ACCESS')
    const outside = patientId(IN_STUDY + 2)
    await hand.put({ ...item, pk: { S: `${RIVERSIDE}#${outside}` } }, 'ACCESS')
    const made = await clinic.ask('researcher', ONE, { id: await pseudonymOf(clinic, realId(outside)) })
    expect(made.data).toEqual({ patient: null })
    expect(made.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    await hand.remove({ ...item, pk: { S: `${RIVERSIDE}#${outside}` } }, 'ACCESS')
  })

  it('an unavailable access table', async () => {
    const id = first(await panel())
    const deaf = await clinic.another({ env: { PHI_TABLE_ACCESS: 'gone' } })
    expectUnavailable(await deaf.ask('researcher', PANEL), 'patients')
    for (const wanted of [id, realId(patientId(1)), 'no id']) {
      expectUnavailable(await deaf.ask('researcher', ONE, { id: wanted }), 'patient')
    }
  })
})

/**
 * The permitted part of a value of each Safe Harbor class, 45 CFR 164.514(b)(2)(i), (A) to (R). All classes but two permit nothing.
 */
const YEAR = /^(?:\d{4}|90\+)$/
const NOTHING = (): boolean => false
const YEARS = (value: unknown): boolean =>
  typeof value === 'string' ? YEAR.test(value) : [at(value, 'start'), at(value, 'end')].every((end) => end === null || YEARS(end))
const SAFE_HARBOR: Readonly<Record<Identifier, (value: unknown, path: string) => boolean>> = {
  NAME: NOTHING,
  GEOGRAPHIC: (value, path) =>
    path === 'Patient.address.postalCode' ? /^\d{3}$/.test(String(value)) : /\.(?:state|country)$/.test(path),
  DATE: YEARS,
  PHONE: NOTHING,
  FAX: NOTHING,
  EMAIL: NOTHING,
  SSN: NOTHING,
  MRN: NOTHING,
  PLAN_ID: NOTHING,
  ACCOUNT: NOTHING,
  LICENSE: NOTHING,
  VEHICLE: NOTHING,
  DEVICE: NOTHING,
  URL: NOTHING,
  IP: NOTHING,
  BIOMETRIC: NOTHING,
  PHOTO: NOTHING,
  OTHER: NOTHING,
}

/**
 * Writes a patient with only marker values. The markers differ from those of the canary patient, which the suite searches for in
 * all output.
 */
async function admitMarked(): Promise<{ patient: PatientId; query: string; markers: ReadonlyMap<string, string>; ids: string[] }> {
  const anew = (text: string): string =>
    text.replaceAll('kQ7vXw9Zj2', 'sH4rB0r18x').replaceAll('1887-03-', '1931-05-').replaceAll('91827364', '81726354')
  const marked = canaryPatient(compiled, (type, source) => store.idFor(type, `marked ${source}`))
  const records = marked.records.map(({ ref, values, metadata }): NewRecord => {
    const known = JSON.parse(anew(JSON.stringify([...values]))) as [SchemaPath, Json][]
    return { ref, values: new Map(known), metadata: JSON.parse(anew(JSON.stringify(metadata))) as NewRecord['metadata'] }
  })
  await store.write({ patient: marked.patient, records, memberships: [] })
  await enroll(STUDY, marked.patient)
  return {
    patient: marked.patient,
    query: marked.query,
    markers: new Map([...marked.markers.byPath].map(([path, marker]) => [path, anew(marker)])),
    ids: [...new Set(records.flatMap(({ ref }) => [ref.id as string, ref.patient as string, encodeNodeId(ref)]))],
  }
}

describe('C18: answers for a researcher contain none of the identifiers of 45 CFR 164.514(b)(2)(i)', () => {
  it('every class (A) to (R), every leaf, and every byte of the answer to a query for everything', async () => {
    const { patient, query, markers, ids } = await admitMarked()
    const answer = await clinic.ask('researcher', query, { id: await pseudonymOf(clinic, realId(patient)) })
    expect(answer.status).toBe(200)
    const seen = new Map<Identifier, number>()
    const given = new Set<string>()
    for (const { path, class: kind, identifier } of compiled.policy.phi.values()) {
      if (kind !== 'VALUE') continue
      const value = valueAt(answer, path)
      expect(value, path).not.toBeUndefined()
      if (value === null) continue
      given.add(path)
      if (identifier === undefined) continue
      expect(SAFE_HARBOR[identifier](value, path), `${identifier} ${path}`).toBe(true)
      seen.set(identifier, (seen.get(identifier) ?? 0) + 1)
    }
    expect([...seen.keys()].toSorted()).toEqual(['DATE', 'GEOGRAPHIC'])
    expect(given.size).toBeGreaterThan(30)
    expect(valueAt(answer, 'Patient.birthDate')).toBe('90+')

    // Research may read codes and amounts in full, so their markers are expected. No other marker may occur in any form.
    const isOpen = (path: string): boolean => {
      const owner = [...given].find((one) => path === one || path.startsWith(`${one}.`))
      const isMasked = compiled.policy.phi.get(owner as SchemaPath)?.identifier === 'DATE' || path.endsWith('.postalCode')
      return owner !== undefined && !isMasked && !/\.(?:text|valueString)$/.test(path)
    }
    // some amounts share the marker of another amount
    const open = new Set([...markers].filter(([path]) => isOpen(path)).map(([, marker]) => marker))
    const stray = [...markers].filter(([, marker]) => {
      return !open.has(marker) && [...allFormsOf(marker).values()].some((form) => answer.text.includes(form))
    })
    expect(stray.map(([path]) => path)).toEqual([])
    for (const id of ids) expect(answer.text).not.toContain(id)
    // no date with a month, of any patient
    expect(answer.text).not.toMatch(/\b\d{4}-\d{2}/)
    expect([...markers.keys()].filter((path) => /\.(?:text|valueString)$/.test(path)).length).toBeGreaterThan(5)
  })

  it('a ZIP code with a restricted prefix or outside of the United States, with or without +4, is 000; any other ZIP code keeps three digits', async () => {
    for (const [number, [zip, shown, country]] of [
      ['03601', '000', 'US'],
      ['03601-1234', '000', 'US'],
      ['02139-4307', '021', 'US'],
      ['10115', '000', 'DE'],
      ['10115', '000', undefined],
    ].entries()) {
      const patient = store.idFor('Patient', `zip ${number}`) as string as PatientId
      const ref = { type: 'Patient' as TypeName, patient, id: patient as string as RecordId }
      const values = new Map([['Patient.address.postalCode' as SchemaPath, zip ?? '']])
      if (country !== undefined) values.set('Patient.address.country' as SchemaPath, country)
      await store.write({ patient, records: [{ ref, values, metadata: { open: {}, references: {} } }], memberships: [] })
      await enroll(STUDY, patient)
      const id = await pseudonymOf(clinic, realId(patient))
      const answer = await clinic.ask('researcher', 'query ($id: ID!) { patient(id: $id) { address { postalCode } } }', { id })
      expect(answer.data).toEqual({ patient: { address: { postalCode: shown } } })
      // the view opens the country for itself, and the audit names it
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
        `Patient.address.country ${country === undefined ? 'ABSENT' : 'DISCLOSED'}`,
        'Patient.address.postalCode MASKED ZIP3',
      ])
      expect(answer.phi).toMatchObject({ resolved: 1, masked: [{ coordinate: 'Patient.address.postalCode', view: 'ZIP3' }] })
    }
  })

  it('the code and the country of an imported address belong together', async () => {
    const address = (country: string, use: string) => ({
      use,
      postalCode: '10115',
      city: 'Probe',
      ...(country !== '' && { country }),
    })
    const query = 'query ($id: ID!) { patient(id: $id) { address { postalCode country } } }'
    for (const [id, addresses, shown] of [
      ['lives-abroad', [address('DE', 'home')], { postalCode: '000', country: 'DE' }],
      ['lives-at-home', [address('DE', 'work'), address('US', 'home')], { postalCode: '101', country: 'US' }],
      ['lives-somewhere', [address('', 'home'), address('US', 'work')], { postalCode: '000', country: null }],
    ] as const) {
      const imported = await importResources(clinic, [{ resourceType: 'Patient', id, address: addresses }])
      await enroll(STUDY, store.idFor('Patient', id) as string as PatientId)
      const answer = await clinic.ask('researcher', query, { id: await pseudonymOf(clinic, imported.idOf('Patient', id, id)) })
      expect(answer.data).toEqual({ patient: { address: shown } })
    }
  })

  it('other roles lose nothing: a clinician reads the free text', async () => {
    const [id = ''] = await patientsOf(clinic, 'nurse')
    const conditions = 'query ($id: ID!) { patient(id: $id) { maritalStatus { text coding { code } } } }'
    const full = at((await clinic.ask('nurse', conditions, { id })).data, 'patient', 'maritalStatus')
    expect(at(full, 'text')).toEqual(expect.any(String))
    const answer = await clinic.ask('researcher', conditions, { id: await pseudonymOf(clinic, id) })
    expect(at(answer.data, 'patient', 'maritalStatus')).toEqual({ ...(full as object), text: null })
    expect(answer.phi.resolved).toBe(1)
  })

  it('explainAccess answers that access depends on a study', async () => {
    const ask = `query ($q: String!, $id: ID) { explainAccess(query: $q, patientId: $id) { paths { path outcome view dependsOn } } }`
    const q = '{ patients { edges { node { birthDate ssn } } } }'
    const plan = await clinic.ask('researcher', ask, { q })
    expect(at(plan.data, 'explainAccess', 'paths')).toMatchObject([
      { path: 'Patient.birthDate', outcome: 'DEPENDS', view: 'YEAR', dependsOn: ['ORGANIZATION', 'STUDY'] },
      { path: 'Patient.ssn', outcome: 'DENIED', dependsOn: [] },
    ])
    const named = await clinic.ask('researcher', ask, { q, id: first(await panel()) })
    expect(at(named.data, 'explainAccess', 'paths', 0)).toMatchObject({ outcome: 'MASKED', view: 'YEAR' })
    expect((await clinic.ask('researcher', ask, { q, id: realId(patientId(1)) })).data).toEqual({ explainAccess: null })
    const billing = await clinic.ask('billing', ask, { q })
    expect(at(billing.data, 'explainAccess', 'paths', 0, 'dependsOn')).toEqual(['ORGANIZATION'])
  })
})

/**
 * The value of the answer at a path; undefined if the query does not select it. For another record type, the first entry of its
 * list.
 */
function valueAt({ data }: ClinicAnswer, path: string): unknown {
  const [type = '', ...names] = path.split('.')
  if (type === 'Patient') return at(data, 'patient', ...names)
  const patient = at(data, 'patient') as Readonly<Record<string, unknown>>
  const edge = [...compiled.policy.phi.values()].find(({ path: of, class: kind }) => {
    return kind === 'EDGE' && of.startsWith('Patient.') && listedBy(of) === type
  })
  const list = patient[edge?.path.split('.')[1] ?? '']
  return list === null ? null : at(nodesAt(list)[0], ...names)
}

function listedBy(path: string): string {
  const field = compiled.schema.getQueryType() && path.split('.')[1]
  const type = compiled.schema.getType('Patient') as { getFields?: () => Record<string, { type: unknown }> } | undefined
  return String(type?.getFields?.()[field ?? '']?.type).replace(/Connection!?$/, '')
}

it("the demo's study equals the study of these tests", () => {
  expect(DEMO_STUDIES).toMatchObject([{ protocol: STUDY, patients: IN_STUDY }])
})

describe('C18: the administration of studies', () => {
  const PROTOCOL = 'DESK-1'
  const written = (until = LATER) => ({ protocol: PROTOCOL, researchers: [RESEARCHER], until })
  let desk: StudyAdmin

  beforeAll(() => {
    desk = openStudyAdmin(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  })
  afterAll(() => {
    desk.close()
  })

  const placesOf = async (patient: PatientId): Promise<number> =>
    (await clinic.services.history.entriesBy('patient', RIVERSIDE, patient)).filter(({ client }) => client === 'phi-study').length

  it('the last list is in effect: a patient that is not in it leaves the study', async () => {
    expect(await desk.put(written(), [patientId(1), patientId(2)])).toEqual({ given: 2, unchanged: 0, ended: 0 })
    expect(await desk.list()).toContainEqual(written())
    const known = async (...numbers: readonly number[]): Promise<string[]> =>
      (await Promise.all(numbers.map((number) => pseudonymOf(clinic, realId(patientId(number)), PROTOCOL)))).toSorted()
    expect((await panel(under(PROTOCOL))).toSorted()).toEqual(await known(1, 2))
    expect(await desk.put(written(), [patientId(2), patientId(3)])).toEqual({ given: 1, unchanged: 1, ended: 1 })
    expect((await panel(under(PROTOCOL))).toSorted()).toEqual(await known(2, 3))
    const outside = await pseudonymOf(clinic, realId(patientId(1)), PROTOCOL)
    expect((await clinic.ask('researcher', ONE, { id: outside }, under(PROTOCOL))).data).toEqual({ patient: null })
  })

  it('P2: each place is recorded under the account that gives it, and a repetition writes nothing', async () => {
    const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, patientId(3))
    expect(entries.filter(({ client }) => client === 'phi-study')).toMatchObject([
      {
        path: 'ResearchStudy',
        action: 'UPDATE',
        outcome: 'WRITTEN',
        study: PROTOCOL,
        user: expect.stringMatching(/^os:/) as unknown,
      },
    ])
    const before = await Promise.all([1, 2, 3].map((number) => placesOf(patientId(number))))
    expect(await desk.put(written(), [patientId(2), patientId(3)])).toEqual({ given: 0, unchanged: 2, ended: 0 })
    expect(await Promise.all([1, 2, 3].map((number) => placesOf(patientId(number))))).toEqual(before)
  })

  it('P5: an unknown patient, or one of another tenant, is refused before any write, and no keys are created', async () => {
    const nobody = store.idFor('Patient', 'nobody') as string as PatientId
    const foreign = await openStore('lakeside' as TenantId, '0'.repeat(64), clinic.stack.env)
    const theirs = foreign.idFor('Patient', 'lakeside-1') as string as PatientId
    await foreign.close()
    for (const unknown of [nobody, theirs]) {
      await expect(desk.put(written(), [patientId(4), unknown])).rejects.toMatchObject({ name: 'UnknownSubject', place: 1 })
      expect(await placesOf(patientId(4))).toBe(0)
      expect((await clinic.services.keyring.patientKeys(RIVERSIDE, [unknown], 'always')).size).toBe(0)
      expect((await clinic.services.access.load(RIVERSIDE, [unknown])).get(unknown)).toBeInstanceOf(AbsentPatientAccess)
    }
    expect(await panel(under(PROTOCOL))).toHaveLength(2)
  })

  it('P13: an ended study discloses nothing at the next request; ending an unknown study creates none', async () => {
    const others = await panel(under(STUDY))
    expect(await desk.end('NEVER-BEGUN')).toBe('UNKNOWN')
    expect(await desk.end(PROTOCOL)).toBe('ENDED')
    expect(await panel(under(PROTOCOL))).toEqual([])
    expect(await desk.end(PROTOCOL)).toBe('UNCHANGED')
    expect((await desk.list()).map(({ protocol }) => protocol)).not.toContain('NEVER-BEGUN')
    expect(others.length).toBeGreaterThan(0)
    expect(await panel(under(STUDY))).toEqual(others)
  })

  it('a query for an unknown tenant creates no keys', async () => {
    const nowhere = openStudyAdmin('nowhere' as TenantId, '0'.repeat(64), clinic.stack.env)
    await expect(nowhere.list()).rejects.toMatchObject({ name: 'KeyUnavailable' })
    await expect(nowhere.put(written(), [patientId(1)])).rejects.toBeInstanceOf(Error)
    nowhere.close()
  })
})
