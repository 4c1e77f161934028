import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Relationship } from '../../../directives/policy.ts'
import type { AttributeSources } from '../../../gateway/access/attribute-loader.ts'
import { type EffectiveSubject, resolveEffectiveSubject } from '../../../gateway/access/effective-subject.ts'
import { NODE_IDS } from '../../../gateway/access/public-ids.ts'
import type { RelationshipSource } from '../../../gateway/access/relationships.ts'
import type { StudySource } from '../../../gateway/access/studies.ts'
import { PSEUDONYM_LENGTH } from '../../../gateway/crypto/pseudonym.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import { IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { Instant, PatientId, RecordId, RecordRef } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Study } from '../../../gateway/model/study.ts'
import { KeyHouse, RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith, clinic, NOW } from '../decide/clinic-policy.ts'

const { policy } = clinic
const deadline = new Deadline(NOW + 10_000, { now: () => NOW, monotonic: () => 0 })
const patientId = (): PatientId => randomBytes(16).toString('base64url') as PatientId
const [SUBJECT, OTHER] = [patientId(), patientId()]
const refOf = (patient: PatientId): RecordRef => ({ type: 'Patient' as TypeName, patient, id: patient as string as RecordId })
const ORGANIZATION = 'ORGANIZATION' as Relationship

/** A relationship to these patients without an end. */
const relatedTo = (...patients: PatientId[]): RelationshipSource => ({
  periods: (_caller, asked) => Promise.resolve(new Map(asked.filter((one) => patients.includes(one)).map((one) => [one, [{}]]))),
  panel: () => Promise.resolve(patients),
})

/**
 * The caller's own sources: the organization has a relationship to both patients, and there are consents and break-glass grants.
 */
const OWN: AttributeSources = {
  relationships: new Map([[ORGANIZATION, relatedTo(SUBJECT, OTHER)]]),
  consents: { consents: () => Promise.resolve(new Map()) },
  breakGlass: { activeGrants: () => Promise.resolve(new Map()) },
}
const STUDY: Study = { protocol: 'IRB-1', researchers: ['Practitioner/1'], until: (NOW + 1) as Instant }
const RESEARCHER = callerWith(['RESEARCHER'], 'HRESCH', { fhirUser: 'Practitioner/1' })

/** The first patient is the only subject of every study. */
const studiesOf = (...studies: readonly (Study | Error)[]): StudySource => ({
  studies: () => {
    const failure = studies.find((one) => one instanceof Error)
    return failure === undefined ? Promise.resolve(studies as readonly Study[]) : Promise.reject(failure)
  },
  subjects: () => relatedTo(SUBJECT),
})

let house: KeyHouse
beforeEach(async () => {
  house = new KeyHouse()
  await house.ring.createTenant(RIVERSIDE)
})

const subjectFor = (caller: Caller, studies?: StudySource, named?: string): Promise<EffectiveSubject> =>
  resolveEffectiveSubject(
    caller,
    named,
    { policy, attributes: OWN, keyring: house.ring, now: () => NOW, ...(studies && { studies }) },
    deadline,
  )

/** The patients that the subject has a relationship to, and its panel. */
async function reachOf({ caller, sources }: EffectiveSubject): Promise<{ periods: unknown[]; panel: unknown[] }> {
  const source = sources.relationships.get(ORGANIZATION)
  const periods = (await source?.periods(caller, [SUBJECT, OTHER], deadline)) ?? new Map<string, never>()
  const panel = (await source?.panel(caller, undefined, 9, deadline)) ?? []
  return { periods: [...periods].flatMap(([patient, known]) => (known.length > 0 ? [patient] : [])), panel: [...panel] }
}

describe('a caller that is no researcher', () => {
  it('P3: acts as itself, with its own relationships and ids', async () => {
    const physician = callerWith(['PHYSICIAN'], 'TREAT', { fhirUser: 'Practitioner/1' })
    const subject = await subjectFor(physician, studiesOf(STUDY), 'IRB-1')
    expect(subject.caller).toBe(physician)
    expect(subject.sources).toBe(OWN)
    expect(subject.ids).toBe(NODE_IDS)
  })

  it('C18: does not keep the role of a researcher for another purpose', async () => {
    const both = callerWith(['PHYSICIAN', 'RESEARCHER'], 'TREAT', { seesExistence: true })
    const subject = await subjectFor(both, studiesOf(STUDY))
    expect([...subject.caller.roles]).toEqual(['PHYSICIAN'])
    expect(subject.caller.study).toBeUndefined()
  })
})

describe('a researcher under a study', () => {
  it('C18: reaches only the subjects of the study, although the organization holds more patients', async () => {
    const subject = await subjectFor(RESEARCHER, studiesOf(STUDY))
    expect(await reachOf(subject)).toEqual({ periods: [SUBJECT], panel: [SUBJECT] })
    expect(subject.caller.study).toBe('IRB-1')
  })

  it('C18: receives and sends pseudonyms of the study, never the ids of the clinic', async () => {
    const { ids } = await subjectFor(RESEARCHER, studiesOf(STUDY))
    const ref = refOf(SUBJECT)
    const pseudonym = ids.encode(ref)
    expect(pseudonym).toHaveLength(PSEUDONYM_LENGTH)
    expect(pseudonym).not.toContain(SUBJECT)
    expect(ids.decode(pseudonym)).toEqual(ref)
    expect(ids.decode(encodeNodeId(ref))).toBeUndefined()
    expect(ids.standIn(ref, 'Patient.mrn' as SchemaPath)).toEqual(expect.any(String))
    expect(ids.bound()).toEqual(['IRB-1'])
  })

  it('C18: has other pseudonyms in another study', async () => {
    const studies = studiesOf(STUDY, { ...STUDY, protocol: 'IRB-2' })
    const [one, other] = await Promise.all(['IRB-1', 'IRB-2'].map((named) => subjectFor(RESEARCHER, studies, named)))
    const pseudonym = one?.ids.encode(refOf(SUBJECT)) ?? ''
    expect(other?.ids.encode(refOf(SUBJECT))).not.toBe(pseudonym)
    expect(other?.ids.decode(pseudonym)).toBeUndefined()
  })

  it('C18: has no other role and no break-glass, and does not see existence', async () => {
    const both = callerWith(['PHYSICIAN', 'RESEARCHER'], 'HRESCH', { fhirUser: 'Practitioner/1', seesExistence: true })
    const { caller, sources } = await subjectFor(both, studiesOf(STUDY))
    expect([...caller.roles]).toEqual(['RESEARCHER'])
    expect(caller.seesExistence).toBe(false)
    expect(sources.breakGlass).toBeUndefined()
    expect(sources.consents).toBe(OWN.consents)
  })
})

describe('C18: a researcher without a study reaches no patient and receives no id', () => {
  it.each<[string, StudySource | undefined, string | undefined]>([
    ['without a source of studies', undefined, undefined],
    ['without any study', studiesOf(), undefined],
    ['the study of another researcher', studiesOf({ ...STUDY, researchers: ['Practitioner/2'] }), 'IRB-1'],
    ['a study that has ended', studiesOf({ ...STUDY, until: NOW }), 'IRB-1'],
    ['another protocol', studiesOf(STUDY), 'IRB-9'],
    ['two studies and no name', studiesOf(STUDY, { ...STUDY, protocol: 'IRB-2' }), undefined],
  ])('%s', async (_, studies, named) => {
    const subject = await subjectFor(RESEARCHER, studies, named)
    expect(await reachOf(subject)).toEqual({ periods: [], panel: [] })
    expect(subject.caller.study).toBeNull()
    expect(subject.sources.breakGlass).toBeUndefined()
    expect(() => subject.ids.encode(refOf(SUBJECT))).toThrow()
    expect(subject.ids.decode(encodeNodeId(refOf(SUBJECT)))).toBeUndefined()
    expect(subject.ids.standIn(refOf(SUBJECT), 'Patient.mrn' as SchemaPath)).toBeNull()
  })
})

describe('P9: if the study cannot be read, everything that depends on it is unavailable, not denied', () => {
  it.each([
    ['the store', new StoreUnavailable()],
    ['the key', new KeyUnavailable()],
    ['the seal', new IntegrityFailure()],
  ])('%s', async (_, failure) => {
    const { caller, sources, ids } = await subjectFor(RESEARCHER, studiesOf(failure))
    const source = sources.relationships.get(ORGANIZATION)
    await expect(source?.periods(caller, [SUBJECT], deadline)).rejects.toBe(failure)
    await expect(source?.panel(caller, undefined, 9, deadline)).rejects.toBe(failure)
    expect(caller.study).toBeNull()
    expect(() => ids.bound()).toThrow(failure)
    expect(() => ids.encode(refOf(SUBJECT))).toThrow()
    expect(ids.decode(encodeNodeId(refOf(SUBJECT)))).toBeUndefined()
  })

  it('the pseudonym key', async () => {
    house.kms.down = true
    house.ring = house.newRing()
    const { caller, sources } = await subjectFor(RESEARCHER, studiesOf(STUDY))
    const source = sources.relationships.get(ORGANIZATION)
    await expect(source?.periods(caller, [SUBJECT], deadline)).rejects.toThrow(KeyUnavailable)
  })

  it('a fault of the gateway fails the request', async () => {
    await expect(subjectFor(RESEARCHER, studiesOf(new TypeError('fault')))).rejects.toThrow(TypeError)
  })
})
