import { BatchWriteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { openStore } from '../../gateway/admin/open-store.ts'
import { decodeNodeId } from '../../gateway/model/node-id.ts'
import { Admissions } from '../gateway/admitted.ts'
import { first, madeUpId, patientsOf, RIVERSIDE } from '../gateway/asking.ts'
import { clinic as compiled } from '../gateway/decide/clinic-policy.ts'
import { RecordShapes } from '../gateway/disclosure/record-shapes.ts'
import { OPEN_DATES, TwinCharts, type TwinPlan } from '../gateway/disclosure/twin-charts.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

// Compares response times where a caller must not see a difference (P5): patients that the caller may not know of, charts with and
// without closed records, searches with and without a result. `npm run bench:existence [calls a side] [name of a trial]` ends with an
// error if the quartiles of two sides differ. Each trial has a control: a side that is equal to another one by construction.

const CALLS = Number(process.argv[2] ?? 1_000)
const ONLY = process.argv[3] ?? ''
const WARM_UP = 100
/** The permitted difference of two sides, as a fraction of the median or in milliseconds, whichever is more. */
const PART = 0.05
const LEAST_MS = 0.2
const QUARTILES = [0.25, 0.5, 0.75] as const

const MANY = 100_000_000
const forAll = { CLINICIAN: MANY, STAFF: MANY, RESEARCH: MANY, PATIENT: MANY, PARTNER: MANY, OVERSIGHT: MANY }
/** Thousands of calls of one user exceed every budget of an hour. */
const UNLIMITED = JSON.stringify({ hour: forAll, searches: forAll, refusedValues: forAll, unknownIds: forAll })

interface Side {
  readonly name: string
  readonly variables: Readonly<Record<string, string>>
  readonly times: number[]
}

interface Trial {
  readonly name: string
  readonly user: string
  readonly query: string
  readonly sides: readonly Side[]
  /** A text that each answer has, so that no side compares something else. */
  readonly expected: string
}

/** Deletes all items of a patient from the tables, as an operator could. */
async function remove({ stack }: RunningClinic, id: string): Promise<void> {
  const pk = { S: `riverside#${decodeNodeId(id)?.patient ?? ''}` }
  for (const table of [stack.env.PHI_TABLE_RECORDS, stack.env.PHI_TABLE_ACCESS, stack.env.PHI_TABLE_KEYS]) {
    const found = await stack.dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
        ProjectionExpression: 'pk, sk',
      }),
    )
    const requests = (found.Items ?? []).map((Key) => ({ DeleteRequest: { Key } }))
    for (let from = 0; from < requests.length; from += 25) {
      await stack.dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [table]: requests.slice(from, from + 25) } }))
    }
  }
}

const sidesOf = (of: Readonly<Record<string, string>>, variable = 'id'): Side[] =>
  Object.entries(of).map(([name, value]) => ({ name, variables: { [variable]: value }, times: [] }))

async function trialsOf(clinic: RunningClinic): Promise<Trial[]> {
  const riverside = await patientsOf(clinic, 'billing')
  const own = first(await patientsOf(clinic, 'patient'))
  const [stranger = '', deleted = ''] = riverside.filter((id) => id !== own)
  await remove(clinic, deleted)
  const unknown: Trial = {
    name: 'a patient by id',
    user: 'patient',
    query: 'query ($id: ID!) { patient(id: $id) { familyName birthDate address { city } } }',
    expected: 'NOT_FOUND',
    sides: sidesOf({
      // one id, as on the other sides, because engine and caches answer a repeated id faster, whether it exists or not
      missing: madeUpId(),
      control: madeUpId(),
      deleted,
      'another tenant`s': first(await patientsOf(clinic, 'lakeside-physician')),
      'no relationship': stranger,
    }),
  }
  return [unknown, ...(await closedTrials(clinic)), ...(await searchTrials(clinic))]
}

const LIST = 'query ($id: ID!) { patient(id: $id) { conditions { edges { node { code { text } } } pageInfo { hasNextPage } } } }'
const EDGES = 'query ($id: ID!) { patient(id: $id) { conditions { edges { node { encounter { status } } } } } }'
const ONE = 'query ($id: ID!) { node(id: $id) { ... on Condition { code { text } } } }'

/** A chart with three closed records, and two without. */
async function closedTrials(clinic: RunningClinic): Promise<Trial[]> {
  const store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  const shapes = new RecordShapes(compiled)
  const charts = new TwinCharts(new Admissions(store), shapes)
  const isListed = (type: string): boolean => type === 'Condition'
  const plans: readonly (readonly [name: string, query: string, plan: TwinPlan])[] = [
    ['a list', LIST, { closing: 'LABELS', open: () => OPEN_DATES.length, closed: isListed, refers: false }],
    ['a list with nothing open', LIST, { closing: 'LABELS', open: () => 0, closed: isListed, refers: false }],
    ['a list with a denial', LIST, { closing: 'DENIAL', open: () => OPEN_DATES.length, closed: isListed, refers: false }],
    [
      'edges to one record',
      EDGES,
      { closing: 'LABELS', open: () => OPEN_DATES.length, closed: (type) => type === 'Encounter', refers: true },
    ],
  ]
  const trials: Trial[] = []
  for (const [name, query, plan] of plans) {
    const [one, other] = [await charts.write(name, plan), await charts.write(`${name}, again`, plan)]
    const [closed, none] = one.both
    const sides = sidesOf({ none, control: other.both[1], closed })
    trials.push({ name, user: 'physician', query, sides, expected: '"conditions":{' })
    if (!plan.closed('Condition') || trials.length > 1) continue
    const [record, missing] = one.closedRecord('Condition')
    const ids = sidesOf({ missing, control: other.closedRecord('Condition')[1], closed: record })
    trials.push({ name: 'a record by id', user: 'physician', query: ONE, sides: ids, expected: 'NOT_FOUND' })
  }
  await store.close()
  return trials
}

const SEARCH = 'query ($mrn: String) { patientsByIdentifier(mrn: $mrn) { edges { node { id } } } }'

async function searchTrials(clinic: RunningClinic): Promise<Trial[]> {
  const store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  const ward = new Admissions(store)
  const admit = async (name: string, team: readonly string[], denies = false): Promise<string> => {
    const mrn = `MRN-OF-${name}`
    const own = ward.record(name, 'Patient', '', { familyName: name, mrn })
    await ward.write(name, [own], team, denies ? [{ id: 'all', effect: 'DENY' }] : [])
    return mrn
  }
  const [found, stranger, closed] = [
    await admit('found', ['physician']),
    await admit('other', []),
    await admit('closed', ['physician'], true),
  ]
  const own = ward.membership('found', 'SELF', 'Patient/riverside-1')
  await ward.change(own)
  await store.close()
  const sides = (): Side[] => sidesOf({ nobody: 'MRN-OF-nobody', control: 'MRN-OF-anybody', stranger, closed, found }, 'mrn')
  return [
    { name: 'a search of a clinician', user: 'physician', query: SEARCH, sides: sides(), expected: '"edges":[' },
    { name: 'a search of a patient', user: 'patient', query: SEARCH, sides: sides(), expected: '"edges":[' },
    { name: 'a search of the front desk', user: 'frontdesk', query: SEARCH, sides: sides(), expected: '"edges":[' },
  ]
}

/** All permutations of some items. */
function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((one, at) => ordersOf(items.toSpliced(at, 1)).map((rest) => [one, ...rest]))
}

async function run(ask: RunningClinic['ask'], { user, query, sides, expected }: Trial): Promise<void> {
  const turns = ordersOf(sides)
  for (let call = -WARM_UP; call < CALLS; call++) {
    // The next call pays for the leftovers of a call, so each side follows each other side equally often.
    for (const { name, variables, times } of turns[(call + WARM_UP) % turns.length] ?? []) {
      const from = performance.now()
      const answer = await ask(user, query, variables)
      const took = performance.now() - from
      if (!answer.text.includes(expected)) throw new Error(`${name} has an unexpected answer: ${answer.text}`)
      if (call >= 0) times.push(took)
    }
  }
}

const quantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? Number.NaN

/** Prints the quartiles of each side. @returns whether no two sides can be separated */
function judge({ name, user, sides }: Trial): boolean {
  console.log(`\n${name} (${user}), ${CALLS} calls a side, in ms`)
  const rows = sides.map((side) => ({ name: side.name, at: QUARTILES.map((part) => quantile(side.times, part)) }))
  for (const row of rows) console.log(`  ${row.name.padEnd(18)} ${row.at.map((ms) => ms.toFixed(3).padStart(8)).join(' ')}`)
  const range = (of: typeof rows, at: number): number => {
    const all = of.map((row) => row.at[at] ?? Number.NaN)
    return Math.max(...all) - Math.min(...all)
  }
  const base = rows.slice(0, 2)
  const bound = Math.max(PART * (rows[0]?.at[1] ?? 0), LEAST_MS)
  const [all, control] = [rows, base].map((of) => QUARTILES.map((_, at) => range(of, at)))
  const text = (of: readonly number[] = []): string => of.map((ms) => ms.toFixed(3)).join(' ')
  const isEqual = all?.every((ms) => ms < bound) === true
  console.log(
    `  differ by ${text(all)}, the control by ${text(control)}, and may by ${bound.toFixed(3)}: ${isEqual ? 'equal' : 'DIFFERENT'}`,
  )
  return isEqual
}

const clinic = await runClinic({ riverside: 8, lakeside: 2 })
try {
  const trials = (await trialsOf(clinic)).filter(({ name }) => name.includes(ONLY))
  const { ask } = await clinic.another({ env: { PHI_LIMITS: UNLIMITED } })
  for (const trial of trials) {
    await run(ask, trial)
    if (!judge(trial)) process.exitCode = 1
  }
} finally {
  await clinic.stop()
}
