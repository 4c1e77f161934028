import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { scrubOf } from '../../../gateway/scrub-charts.ts'
import { type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { seeded } from '../../hostile/seeded.ts'
import { at, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'
import { refOf } from '../store/database-hand.ts'
import { KilledGateway } from './killed-gateway.ts'
import {
  auditedVersions,
  CREATE_OBSERVATION,
  HEART_RATE,
  listedVersions,
  RETRACT_OBSERVATION,
  UPDATE_OBSERVATION,
  versionsOf,
} from './record-writing.ts'

// Gateways that are killed while writers wait for them. RECORD_KILLS sets the number of kills.
const KILLS = Number(process.env['RECORD_KILLS'] ?? 5)
const WRITERS = 6
const PATIENTS = 2
const SEED = 20_264
/** The latest kill after the first answer of a process. */
const KILL_MS = 700
/** After this, the tables have executed whatever a killed process sent. */
const SETTLED_MS = 200
const MAX_RETRIES = 5

const REGISTER = `mutation ($input: PatientInput!, $key: String!) {
  registerPatient(input: $input, idempotencyKey: $key) { version record { id } }
}`
const UPDATE_PATIENT = `mutation ($id: ID!, $version: Int!, $patch: PatientPatch!, $key: String!) {
  updatePatient(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version }
}`
const FIND = 'query ($phone: String!) { patientsByIdentifier(phone: $phone) { edges { node { id } } } }'

/** A change that a writer sent, or sends now. */
type Change =
  | { readonly kind: 'create'; readonly patient: string; readonly number: number }
  | { readonly kind: 'register'; readonly number: number }
  | { readonly kind: 'update' | 'retract' | 'phone'; readonly id: string; readonly version: number; readonly number: number }

/** The records of one writer, as the answers say. */
interface Writer {
  readonly patient: string
  readonly observations: Map<string, number>
  readonly registered: Map<string, { readonly version: number; readonly phone: string }>
  /** The change without an answer. */
  pending: Change | undefined
}

let clinic: RunningClinic
let writers: Writer[]
let spare: Promise<KilledGateway>
let number = 0
const random = seeded(SEED, 'kills')
/** The last versions of retracted observations, their reasons included. */
const retracted = new Map<string, number>()
const stalePhones: string[] = []
const seen = { changes: 0, made: 0, unmade: 0, repeated: 0 }

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  const patients = (await patientsOf(clinic, 'physician')).slice(0, PATIENTS)
  writers = Array.from({ length: WRITERS }, (_, writer) => ({
    patient: patients[writer % PATIENTS] ?? '',
    observations: new Map(),
    registered: new Map(),
    pending: undefined,
  }))
  spare = KilledGateway.start()
  await spare
}, 120_000)
afterAll(async () => {
  await (await spare).kill()
  await clinic.stop()
})

const upTo = (version: number): number[] => Array.from({ length: version }, (_, index) => index + 1)
const oneOf = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
const phoneOf = (of: number): string => `+1 555 03${String(of).padStart(5, '0')}`
const codeOf = ({ errors }: ClinicAnswer): unknown => errors[0]?.extensions['code']
/** The service did not answer in time, as on a busy machine: the client repeats the call with its key. */
const isRepeated = (answer: ClinicAnswer): boolean =>
  codeOf(answer) === 'FIELD_UNAVAILABLE' || codeOf(answer) === 'AUDIT_UNAVAILABLE'

function nextChange({ patient, observations, registered }: Writer): Change {
  const turn = ++number
  const kind = oneOf(['create', 'update', 'update', 'retract', 'register', 'phone', 'phone'] as const) ?? 'create'
  const observation = oneOf([...observations])
  const person = oneOf([...registered])
  if ((kind === 'update' || kind === 'retract') && observation !== undefined)
    return { kind, id: observation[0], version: observation[1], number: turn }
  if (kind === 'phone' && person !== undefined) return { kind, id: person[0], version: person[1].version, number: turn }
  if (kind === 'register' || kind === 'phone') return { kind: 'register', number: turn }
  return { kind: 'create', patient, number: turn }
}

/** The call of a change. A repeated one has the same arguments and key. */
function callOf(change: Change): readonly [user: string, query: string, variables: Record<string, unknown>] {
  const key = `kill-${change.number}`
  const valueQuantity = { ...HEART_RATE.valueQuantity, value: 40 + (change.number % 100) }
  switch (change.kind) {
    case 'create':
      return ['physician', CREATE_OBSERVATION, { patient: change.patient, input: { ...HEART_RATE, valueQuantity }, key }]
    case 'update':
      return ['physician', UPDATE_OBSERVATION, { id: change.id, version: change.version, patch: { valueQuantity }, key }]
    case 'retract':
      return ['physician', RETRACT_OBSERVATION, { id: change.id, version: change.version, reason: 'wrong person' }]
    case 'register': {
      const [mrn, familyName] = [`RIV-KILL-${change.number}`, 'Killdeer']
      return ['frontdesk', REGISTER, { input: { mrn, familyName, birthDate: '1980-04-02', phone: phoneOf(change.number) }, key }]
    }
    case 'phone':
      return [
        'frontdesk',
        UPDATE_PATIENT,
        { id: change.id, version: change.version, patch: { phone: phoneOf(change.number) }, key },
      ]
  }
}

/** Checks the answer of a change, and keeps what it says. */
function keep(writer: Writer, change: Change, answer: ClinicAnswer, isRetry: boolean): void {
  if (change.kind === 'retract' && isRetry && codeOf(answer) === 'NOT_FOUND') {
    // the lost call retracted the record
    writer.observations.delete(change.id)
    retracted.set(change.id, change.version + 1)
    return
  }
  expect({ change, errors: answer.errors }).toEqual({ change, errors: [] })
  switch (change.kind) {
    case 'create': {
      const id = String(at(answer.data, 'createObservation', 'record', 'id'))
      expect(writer.observations.has(id)).toBe(false)
      writer.observations.set(id, 1)
      return
    }
    case 'update':
      expect(at(answer.data, 'updateObservation', 'version')).toBe(change.version + 1)
      writer.observations.set(change.id, change.version + 1)
      return
    case 'retract':
      writer.observations.delete(change.id)
      retracted.set(change.id, change.version + 1)
      return
    case 'register': {
      const id = String(at(answer.data, 'registerPatient', 'record', 'id'))
      expect(writer.registered.has(id)).toBe(false)
      writer.registered.set(id, { version: 1, phone: phoneOf(change.number) })
      return
    }
    case 'phone':
      expect(at(answer.data, 'updatePatient', 'version')).toBe(change.version + 1)
      stalePhones.push(writer.registered.get(change.id)?.phone ?? '')
      writer.registered.set(change.id, { version: change.version + 1, phone: phoneOf(change.number) })
  }
}

/**
 * Makes the pending change of a writer, or a new one.
 *
 * @returns false if the process ended without an answer. The change is then pending
 */
async function makeChange(writer: Writer, gateway: KilledGateway, onAnswer: () => void): Promise<boolean> {
  let isRetry = writer.pending !== undefined
  const sent = writer.pending ?? nextChange(writer)
  writer.pending = sent
  for (let retry = 0; ; retry++) {
    const response = await gateway.handle(await clinic.requestOf(...callOf(sent)))
    if (response === undefined) return false
    clinic.canary.answered(response)
    const answer = read(response)
    onAnswer()
    if (retry < MAX_RETRIES && isRepeated(answer)) {
      seen.repeated++
      isRetry = true
      continue
    }
    keep(writer, sent, answer, isRetry)
    seen.changes++
    writer.pending = undefined
    return true
  }
}

/** Writes until the process ends. @param onAnswer called after each answer */
async function write(writer: Writer, gateway: KilledGateway, onAnswer: () => void): Promise<void> {
  let isRunning = true
  while (isRunning) isRunning = await makeChange(writer, gateway, onAnswer)
}

const found = async (phone: string): Promise<string[]> =>
  nodesAt((await clinic.ask('frontdesk', FIND, { phone })).data, 'patientsByIdentifier').map((node) => String(at(node, 'id')))

/** The audited versions of a record. Each value of each version has one audit record. */
async function auditedOnce(id: string): Promise<number[]> {
  const { patient, id: record } = refOf(id)
  const written = (await clinic.services.history.entriesBy('patient', RIVERSIDE, patient))
    .filter(({ recordId, outcome }) => recordId === record && outcome === 'WRITTEN')
    .map(({ path, action, recordVersion }) => `${action} ${path} ${recordVersion}`)
  expect(new Set(written).size).toBe(written.length)
  return await auditedVersions(clinic.services, id)
}

/** Whether a change without an answer was made: as a whole, or not at all. */
async function isMade(change: Change, listed: ReadonlyMap<string, number>): Promise<boolean> {
  switch (change.kind) {
    case 'create':
      // no answer named its id: `newIn` counts these
      return false
    case 'update': {
      const version = listed.get(change.id) ?? 0
      expect([change.version, change.version + 1]).toContain(version)
      expect(await versionsOf(clinic, change.id)).toEqual(upTo(version - 1))
      expect(await auditedOnce(change.id)).toEqual(upTo(version))
      return version > change.version
    }
    case 'retract': {
      const made = !listed.has(change.id)
      expect(await versionsOf(clinic, change.id)).toEqual(upTo(made ? change.version + 1 : change.version - 1))
      expect(await auditedOnce(change.id)).toEqual(upTo(made ? change.version + 1 : change.version))
      return made
    }
    case 'register': {
      const ids = await found(phoneOf(change.number))
      expect(ids.length).toBeLessThanOrEqual(1)
      for (const id of ids) expect(await auditedOnce(id)).toEqual([1])
      return ids.length > 0
    }
    case 'phone': {
      const made = (await found(phoneOf(change.number))).length > 0
      expect(await auditedOnce(change.id)).toEqual(upTo(made ? change.version + 1 : change.version))
      expect(await versionsOf(clinic, change.id)).toEqual(upTo(made ? change.version : change.version - 1))
      return made
    }
  }
}

/** The changes that a kill left without an answer. */
async function inspectPending(before: ReadonlyMap<string, number>): Promise<void> {
  const lists = await Promise.all([...new Set(writers.map(({ patient }) => patient))].map((one) => listedVersions(clinic, one)))
  const listed = new Map(lists.flatMap((list) => [...list]))
  const pending = writers.flatMap((writer) => writer.pending ?? [])
  const creates = pending.filter(({ kind }) => kind === 'create').length
  const added = [...listed.keys()].filter((id) => !before.has(id) && writers.every(({ observations }) => !observations.has(id)))
  expect(added.length).toBeLessThanOrEqual(creates)
  for (const id of added) expect(await auditedOnce(id)).toEqual([1])
  let made = added.length
  for (const change of pending) if (await isMade(change, listed)) made++
  seen.made += made
  seen.unmade += pending.length - made
}

it('P2: a killed process leaves each change whole with its audit or unmade, and the retry makes it once', {
  timeout: 3_600_000,
}, async () => {
  const patients = [...new Set(writers.map(({ patient }) => patient))]
  const listsOf = async (): Promise<ReadonlyMap<string, number>> =>
    new Map((await Promise.all(patients.map((one) => listedVersions(clinic, one)))).flatMap((list) => [...list]))
  const before = await listsOf()
  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await spare
    spare = KilledGateway.start()
    let isKilled = false
    const first = Promise.withResolvers<undefined>()
    const writing = Promise.all(writers.map((writer) => write(writer, gateway, () => first.resolve(undefined))))
    const killing = first.promise.then(async () => {
      await sleep(random() * KILL_MS)
      isKilled = true
      await gateway.kill()
    })
    await writing.finally(() => first.resolve(undefined))
    await killing
    expect(isKilled).toBe(true)
    await sleep(SETTLED_MS)
    await inspectPending(before)
  }

  // the last process makes what is left
  const last = await spare
  for (const writer of writers) if (writer.pending !== undefined) expect(await makeChange(writer, last, () => undefined)).toBe(true)

  const after = await listsOf()
  const expected = new Map([...before, ...writers.flatMap(({ observations }) => [...observations])])
  expect(after).toEqual(expected)
  for (const { observations, registered } of writers) {
    for (const [id, version] of observations) {
      expect(await versionsOf(clinic, id)).toEqual(upTo(version - 1))
      expect(await auditedOnce(id)).toEqual(upTo(version))
    }
    for (const [id, { version, phone }] of registered) {
      expect(await found(phone)).toEqual([id])
      expect(await versionsOf(clinic, id)).toEqual(upTo(version - 1))
      expect(await auditedOnce(id)).toEqual(upTo(version))
    }
  }
  for (const [id, version] of retracted) {
    expect(await versionsOf(clinic, id)).toEqual(upTo(version))
    expect(await auditedOnce(id)).toEqual(upTo(version))
  }
  for (const phone of stalePhones) expect(await found(phone)).toEqual([])

  const findings: unknown[] = []
  await scrubOf(clinic.services, 20)(
    RIVERSIDE,
    (finding) => findings.push(finding),
    () => undefined,
  )
  expect(findings).toEqual([])
  expect(seen.made + seen.unmade).toBeGreaterThan(0)
  console.info(
    `${KILLS} kills over ${seen.changes} changes: ${seen.made} without an answer were made, ${seen.unmade} were not, ${seen.repeated} calls were repeated`,
  )
})
