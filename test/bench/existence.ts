import { BatchWriteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { decodeNodeId } from '../../gateway/model/node-id.ts'
import { first, madeUpId, patientsOf } from '../gateway/asking.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

// Compares the response times of patients that are missing, deleted, of another tenant, or without a relationship to the caller
// (P5). `npm run bench:existence [calls a side]` ends with an error if the medians differ.

const CALLS = Number(process.argv[2] ?? 1_000)
const WARM_UP = 100
/** The permitted difference of the medians, as a fraction of the median or in milliseconds, whichever is more. */
const PART = 0.05
const LEAST_MS = 0.2
const QUERY = 'query ($id: ID!) { patient(id: $id) { familyName birthDate address { city } } }'

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

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN

/** All permutations of some items. */
function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((one, at) => ordersOf(items.toSpliced(at, 1)).map((rest) => [one, ...rest]))
}

const clinic = await runClinic({ riverside: 8, lakeside: 2 })
try {
  const riverside = await patientsOf(clinic, 'billing')
  const own = first(await patientsOf(clinic, 'patient'))
  const [stranger = '', deleted = ''] = riverside.filter((id) => id !== own)
  await remove(clinic, deleted)
  const sides = Object.entries({
    // one id, as on the other sides, because engine and caches answer a repeated id faster, whether it exists or not
    missing: madeUpId(),
    deleted,
    'another tenant`s': first(await patientsOf(clinic, 'lakeside-physician')),
    'no relationship': stranger,
  }).map(([name, id]) => ({ name, id, times: [] as number[] }))

  const turns = ordersOf(sides)
  for (let call = -WARM_UP; call < CALLS; call++) {
    // The next call pays for the leftovers of a call, so each side follows each other side equally often.
    for (const { id: asked, times } of turns[(call + WARM_UP) % turns.length] ?? []) {
      const from = performance.now()
      const answer = await clinic.ask('patient', QUERY, { id: asked })
      const took = performance.now() - from
      if (answer.errors[0]?.extensions['code'] !== 'NOT_FOUND') throw new Error('a side has an unexpected answer')
      if (call >= 0) times.push(took)
    }
  }
  const medians = sides.map(({ times }) => median(times))
  for (const [index, { name }] of sides.entries()) console.log(`${name.padEnd(18)} ${(medians[index] ?? 0).toFixed(3)} ms`)
  const [least, most] = [Math.min(...medians), Math.max(...medians)]
  const bound = Math.max(PART * least, LEAST_MS)
  console.log(`${CALLS} calls a side; medians differ by ${(most - least).toFixed(3)} ms, and may by ${bound.toFixed(3)}`)
  if (!(most - least < bound)) process.exitCode = 1
} finally {
  await clinic.stop()
}
