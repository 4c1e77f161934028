import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import { isWholeRequest, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import { DROP_ANSWER, PASS } from '../faults.ts'
import { STORMY_KMS } from '../kms-weather.ts'
import { seeded } from '../seeded.ts'
import { STORMY_STORE } from '../store-weather.ts'
import { findLeaks } from '../../harness/leak-search.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { expectIntact } from '../../gateway/audit/lane-bench.ts'
import { first, LAKESIDE, RIVERSIDE, STUDY } from '../../gateway/asking.ts'
import { Pseudonyms } from '../../../gateway/crypto/pseudonym.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import { departures, disclosedIn, isExcused, secretsIn, valueName } from './disclosed.ts'
import { type Lanes, readLanes } from './lanes.ts'
import { type Question, questionsOf, WIDE } from './questions.ts'
import { atATime, startStorm, type Storm, type TimedAnswer } from './storm.ts'

// Requests to two processes, with every fault of the store and of KMS. CAMPAIGN_ROUNDS sets the number of rounds and defaults to
// one, about two hundred requests. The gate runs five rounds, more than a thousand requests. CAMPAIGN_SEED selects another
// campaign.
const SEED = Number(process.env['CAMPAIGN_SEED'] ?? 20_261)
const ROUNDS = Number(process.env['CAMPAIGN_ROUNDS'] ?? 1)
const REQUESTS_A_ROUND = 204
const WIDTH = 20
const WITHIN_MS = 8_000
/** The time that a busy machine may take to run the timer of a passed deadline, and to answer. */
const SCHEDULING_MS = 1_000
/** Less than DynamoDB's limit of 1,000, so that a few wide answers throttle a lane, for any number of lanes. */
const UNITS_A_SECOND = 80
/** Keys are cached for 300 s. The clock advances by more between two rounds, so that each key is requested from KMS again. */
const NAP_MS = 301_000
const OUTAGE_MS = 2_000
/** The auditor of a round reads until an index lags, on any machine. */
const MAX_READS_A_ROUND = 8
const READ_EVERY_MS = 250
/** The number of concurrent wide questions, which exceeds the capacity of one process's lanes in a second. */
const PRESSING = 12
/** An abandoned transaction is still resolved. This time is longer than any fault. */
const LINGER_MS = 2_000

interface Asked extends TimedAnswer {
  readonly question: Question
  readonly calm: TimedAnswer
}

let clinic: RunningClinic
let storm: Storm
/** The pseudonyms of the demo's study. */
let pseudonyms: Pseudonyms
const asked: Asked[] = []
/** Answers during the time in which no transaction got an answer. */
const unheard: TimedAnswer[] = []
/** The audit records that the indexes showed while requests wrote them. */
const seenByIndex: AuditEntry[] = []
const lanes = new Map<string, Lanes>()
let slept = 0
let keysStandStill: number | undefined

beforeAll(async () => {
  clinic = await runClinic({ riverside: 22, lakeside: 2 })
  const questions = await questionsOf(clinic)
  const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'pseudonym')
  pseudonyms = new Pseudonyms(key, { tenant: RIVERSIDE, protocol: STUDY })
  storm = await startStorm(clinic, {
    seed: SEED,
    processes: 2,
    now: () => Date.now() + slept,
    unitsASecond: UNITS_A_SECOND,
    keyClock: () => keysStandStill ?? Date.now(),
  })
  const calm = await atATime(4, questions, (question) => storm.ask(clinic, question, WITHIN_MS))
  const random = seeded(SEED, 'questions')
  const subject = decodeNodeId(String(first(questions).variables?.['id']))?.patient ?? ''

  /** One question of each tenant. */
  const ends = [first(questions), ...questions.filter(({ tenant }) => tenant === 'lakeside').slice(0, 1)]

  const askOne = async (number: number, index: number): Promise<Asked> => {
    const process = storm.processes[index % storm.processes.length] ?? clinic
    const question = questions[number] ?? first(questions)
    return { question, calm: calm[number] ?? first(calm), ...(await storm.ask(process, question, WITHIN_MS)) }
  }

  storm.store.blow(STORMY_STORE)
  storm.kms.blow(STORMY_KMS)
  for (let round = 0; round < ROUNDS; round++) {
    const chosen = Array.from({ length: REQUESTS_A_ROUND }, () => Math.floor(random() * questions.length))
    // An auditor reads recent records by an index while the requests write them. Each read may fail under these faults.
    const answering = atATime(WIDTH, chosen, askOne)
    const [process] = storm.processes
    const lagged = storm.store.counts.INDEX_LAG
    for (let read = 0; read < MAX_READS_A_ROUND && storm.store.counts.INDEX_LAG === lagged; read++) {
      seenByIndex.push(...((await process?.services.history.entriesBy('patient', RIVERSIDE, subject).catch(() => [])) ?? []))
      await sleep(READ_EVERY_MS)
    }
    asked.push(...(await answering))
    slept += NAP_MS
  }
  // The key clock stops for a moment, so that no key recovers on any machine. A few concurrent wide answers then throttle a lane.
  storm.kms.calm()
  keysStandStill = Date.now()
  const wide = questions.findIndex(({ query }) => query === WIDE)
  const pressing = atATime(
    PRESSING,
    Array.from({ length: PRESSING }, () => wide),
    (number) => askOne(number, 0),
  )
  const before = storm.store.counts.WRITE_UNITS
  const end = Date.now() + WITHIN_MS
  while (storm.store.counts.WRITE_UNITS === before && Date.now() < end) await sleep(20)
  keysStandStill = undefined
  asked.push(...(await pressing))

  // for a moment, every transaction commits without an answer: lanes retire and hold unacknowledged records
  storm.store.calm()
  storm.proxy.play(({ operation }) => (operation === 'TransactWriteItems' ? DROP_ANSWER : PASS))
  for (const process of storm.processes)
    unheard.push(...(await atATime(2, ends, (question) => storm.ask(process, question, OUTAGE_MS))))
  storm.proxy.play(storm.store.script)
  await sleep(LINGER_MS)
  // from now on, each retired lane has a successor
  for (const process of storm.processes) {
    for (const question of ends) await storm.ask(process, question, WITHIN_MS)
  }
  for (const tenant of [RIVERSIDE, LAKESIDE])
    lanes.set(tenant, await readLanes(clinic.stack.dynamodb, clinic.stack.env.PHI_TABLE_AUDIT, tenant))
}, 400_000)
afterAll(async () => {
  await clinic.stop()
  await storm.stop()
})

const lanesOf = (tenant: string): Lanes => {
  const found = lanes.get(tenant)
  if (!found) throw new Error('no lanes were read')
  return found
}
const entriesOf = (tenant: string): AuditEntry[] => [...lanesOf(tenant).entries.values()].flat()
/** The items of entries, in the form that a verifier reads from an export. */
const itemsOf = (entries: readonly AuditEntry[]) => parseExport(entries.map((entry) => JSON.stringify(entry)).join('\n')).items
const withData = (): Asked[] => asked.filter(({ answer }) => answer.data !== undefined && answer.data !== null)

describe('P2 and P7: requests under all faults', () => {
  it('the campaign is representative: every fault was injected, and every outcome occurred', () => {
    expect(asked.length).toBeGreaterThanOrEqual(ROUNDS * REQUESTS_A_ROUND)
    for (const { counts } of [storm.store, storm.kms]) {
      expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([])
    }
    const right = asked.filter(({ answer, calm }) => departures(calm.answer.data, answer.data).length === 0)
    // faults that prevent every answer would prove nothing
    expect(right.length).toBeGreaterThan(asked.length / 2)
    const outcomes = new Set(entriesOf(RIVERSIDE).map(({ outcome }) => outcome))
    for (const outcome of ['ABSENT', 'DENIED', 'DISCLOSED', 'MASKED', 'UNAVAILABLE']) expect(outcomes).toContain(outcome)
  })

  it('P2: each disclosed value has exactly one durable record, and each record of an answer belongs to a disclosed value', () => {
    const counted = new Map<string, Map<string, number>>()
    for (const { requestId, recordType, recordId, path, outcome } of [RIVERSIDE, LAKESIDE].flatMap(entriesOf)) {
      if (outcome !== 'DISCLOSED' && outcome !== 'MASKED') continue
      const values = counted.get(requestId) ?? new Map<string, number>()
      const name = valueName(recordType, recordId, path)
      counted.set(requestId, values.set(name, (values.get(name) ?? 0) + 1))
    }
    let values = 0
    for (const { answer, question } of withData()) {
      const disclosed = disclosedIn(answer.data, (id) => decodeNodeId(id) ?? pseudonyms.open(id))
      values += disclosed.size
      const recorded = [...(counted.get(answer.phi.requestId) ?? [])].map(([name, count]) => `${name} x${count}`)
      expect(recorded.toSorted(), question.query).toEqual([...disclosed].map((name) => `${name} x1`).toSorted())
    }
    expect(values).toBeGreaterThan(1_000)
  })

  it('P2: a stored but unacknowledged request is answered with AUDIT_UNAVAILABLE', () => {
    expect(unheard.length).toBeGreaterThan(0)
    for (const { answer } of unheard) expect([answer.status, answer.data]).toEqual([503, undefined])
  })

  it('P2: no request has a value recorded twice, answered or not', () => {
    const names = [RIVERSIDE, LAKESIDE]
      .flatMap(entriesOf)
      .map(
        ({ requestId, patient, recordType, recordId, path }) =>
          `${requestId} ${patient ?? ''} ${valueName(recordType, recordId, path)}`,
      )
    expect(names.length - new Set(names).size).toBe(0)
  })

  // independent of the verifier's code, and compared with the retirements that the processes reported, which the log lacks
  it('P7: no lane has a gap, a wrong hash or a retirement that its successor does not declare', () => {
    for (const tenant of [RIVERSIDE, LAKESIDE]) {
      const { registered, entries } = lanesOf(tenant)
      for (const held of entries.values()) expectIntact(held)
      const names = new Set(registered.map(({ lane }) => lane))
      expect([...entries.keys()].filter((lane) => !names.has(lane))).toEqual([])
      const retired = new Map(
        storm.processes
          .flatMap(({ events }) => events)
          .flatMap((event) =>
            event.event === 'AUDIT_LANE_RETIRED' && event.tenant === tenant ? [[event.lane, event.sequence]] : [],
          ),
      )
      expect(retired.size).toBeGreaterThan(0)
      const openings = [...entries.values()].flatMap(([opening]) => (opening?.succeeds === undefined ? [] : [opening]))
      const declared = openings.map(({ succeeds }) => String(succeeds))
      // if a successor retired before its first record was acknowledged, the next successor declares the same end
      const lasting = openings.filter(({ lane }) => retired.get(lane) !== 0).map(({ succeeds }) => succeeds)
      expect(new Set(lasting).size).toBe(lasting.length)
      for (const declaration of declared) {
        const [lane = '', sequence] = declaration.split('/')
        const end = entries.get(lane)?.at(-1)?.sequence ?? 0
        // if its hour ended, a lane has no retirement: its successor names its last item
        expect(retired.get(lane) ?? end).toBe(Number(sequence))
        // the retired lane may hold the transaction that was open at its retirement, and nothing more
        const beyond = end - Number(sequence)
        expect(beyond).toBeGreaterThanOrEqual(0)
        expect(beyond).toBeLessThanOrEqual(99)
      }
      const ended = [...retired].filter(([, sequence]) => sequence > 0).map(([lane, sequence]) => `${lane}/${sequence}`)
      expect(ended.filter((end) => !declared.includes(end))).toEqual([])
    }
  })

  it('P7: the log of the campaign verifies as unaltered offline', () => {
    const registered = [RIVERSIDE, LAKESIDE].flatMap((tenant) => lanesOf(tenant).registered)
    const { count, findings } = verifyLanes(itemsOf([RIVERSIDE, LAKESIDE].flatMap(entriesOf)), registered)
    expect(count).toBeGreaterThan(500)
    expect(findings).toEqual([])
  })

  it('P7: the receipt of every answer equals that of its items, and every request is whole', () => {
    const items = itemsOf([RIVERSIDE, LAKESIDE].flatMap(entriesOf))
    const byRequest = Map.groupBy(items, ({ requestId }) => requestId)
    for (const { answer, question } of withData()) {
      const { requestId, receipt } = answer.phi
      const ofRequest = byRequest.get(requestId) ?? []
      expect(verifyReceipt(ofRequest, requestId, String(receipt)), question.query).toBe(true)
      expect(ofRequest.length === 0 || isWholeRequest(ofRequest, requestId), question.query).toBe(true)
    }
  })

  it('P7: a lagging index shows a subset of the stored records, and nothing else', () => {
    const stored = new Set(entriesOf(RIVERSIDE).map(({ hash }) => hash))
    expect(seenByIndex.length).toBeGreaterThan(0)
    expect(seenByIndex.filter(({ hash }) => !stored.has(hash))).toEqual([])
  })

  it('P9: an answer is correct, or null with an error at that place, or a typed failure', () => {
    for (const { question, answer, calm } of asked) {
      if (answer.data === undefined) {
        expect(answer.status, question.query).toBe(503)
        // the audit was unavailable, or the session of the caller could not be checked
        const [code, ...more] = answer.errors.map(({ extensions }) => extensions['code'])
        expect(['AUDIT_UNAVAILABLE', 'SESSIONS_UNAVAILABLE'], question.query).toContain(code)
        expect(more).toEqual([])
        continue
      }
      expect(answer.status).toBe(200)
      const wrong = departures(calm.answer.data, answer.data).filter(({ place, isNull }) => !isNull || !isExcused(answer, place))
      expect(wrong, question.query).toEqual([])
      const codes = new Set(answer.errors.map(({ extensions }) => extensions['code']))
      for (const code of ['FIELD_UNAVAILABLE', 'UNAUTHORIZED_FIELD_OR_TYPE', 'NOT_FOUND']) codes.delete(code)
      expect([...codes]).toEqual([])
    }
  })

  it('P9: no request outlives its deadline', () => {
    const longest = Math.max(...asked.map(({ milliseconds }) => milliseconds))
    expect(longest).toBeLessThan(WITHIN_MS + SCHEDULING_MS)
  })

  it('P8: no value of a patient occurs in an event, or in an answer without data', () => {
    const secrets = new Set(asked.flatMap(({ calm }) => secretsIn(calm.answer.data)))
    expect(secrets.size).toBeGreaterThan(20)
    const told = storm.processes.flatMap(({ events }) => events)
    const silent = asked.filter(({ answer }) => answer.data === undefined).map(({ answer }) => answer.text)
    const haystacks = [
      // the names of an event's fields are words that a status may equal
      { name: 'events', bytes: Buffer.from(JSON.stringify(told.map((event) => Object.values<unknown>(event)))) },
      { name: 'failures', bytes: Buffer.from(silent.join('\n')) },
    ]
    expect(findLeaks(haystacks, secrets)).toEqual([])
  })
})
