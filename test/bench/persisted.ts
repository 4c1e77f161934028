import type { HttpRequest } from '../../gateway/http/messages.ts'
import { first, patientsOf, RIVERSIDE } from '../gateway/asking.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { DEMO_CLIENT } from '../../infra/local/token.ts'

// `npm run bench:persisted [rounds]`: the CPU time of a warm request by id beside the same operation as text, in one process. Each
// round has a batch of each side. The control sends the text again, so that it shows the noise of the machine.

const ROUNDS = Number(process.argv[2] ?? 60)
const BATCH = 20
const WARM_UP = 10
/** Thousands of calls of one user exceed the budget of an hour. */
const UNLIMITED = JSON.stringify({ hour: { CLINICIAN: 100_000_000 } })

const OPERATIONS: Readonly<Record<string, string>> = {
  'a small query': 'query ($id: ID!) { viewer { userId } patient(id: $id) { id } }',
  'a chart': `query Chart($id: ID!, $since: DateTime) {
  patient(id: $id) {
    ...Names
    address { line city district state postalCode country }
    encounters(first: 5, since: $since) { ...Page edges { node { id status class type { ...Code } period { start end } } } }
    conditions(first: 5, since: $since) { edges { node { id code { ...Code } clinicalStatus onsetDateTime abatementDateTime } } }
    observations(first: 10, since: $since) { edges { node { id code { ...Code } effectiveDateTime valueQuantity { value unit } } } }
    medicationRequests(first: 5) { edges { node { id medication { ...Code } status authoredOn dosageInstruction } } }
    coverages { edges { node { id payor subscriberId type period { start end } } } }
  }
}
fragment Names on Patient { id version mrn familyName givenName birthDate gender phone email language }
fragment Code on CodeableConcept { text coding { system code display } }
fragment Page on EncounterConnection { mayBeIncomplete pageInfo { hasNextPage endCursor } }`,
}

interface Side {
  readonly name: string
  readonly request: HttpRequest
  /** CPU milliseconds of a request, one number for each batch. */
  readonly times: number[]
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN

async function batch(
  { gateway }: Pick<RunningClinic, 'gateway'>,
  { name, request, times }: Side,
  isCounted: boolean,
): Promise<void> {
  const from = process.cpuUsage()
  for (let call = 0; call < BATCH; call++) {
    const { status, body } = await gateway.handle(request)
    if (status !== 200) throw new Error(`${name} has an unexpected answer: ${body}`)
  }
  const { user, system } = process.cpuUsage(from)
  if (isCounted) times.push((user + system) / 1_000 / BATCH)
}

type Asked = Pick<RunningClinic, 'gateway' | 'operations' | 'requestOf'>

async function compare(clinic: Asked, name: string, query: string, id: string): Promise<void> {
  const variables = { id }
  const text = await clinic.requestOf('physician', query, variables)
  const documentId = clinic.operations.register({ tenant: RIVERSIDE, client: DEMO_CLIENT }, query)
  const sides: readonly Side[] = [
    { name: 'text', request: text, times: [] },
    { name: 'control: text', request: text, times: [] },
    { name: 'id', request: { ...text, body: JSON.stringify({ documentId, variables }) }, times: [] },
  ]
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    // each side follows each other side equally often
    for (const at of [0, 1, 2]) await batch(clinic, sides[(round + WARM_UP + at) % 3] as Side, round >= 0)
  }
  const [base = Number.NaN] = sides.map(({ times }) => median(times))
  const shown = sides.map((side) => `${side.name} ${median(side.times).toFixed(3)} (${(median(side.times) / base).toFixed(3)})`)
  console.log(`${name}, ${query.length} characters: CPU ms of a request, and its ratio to the text: ${shown.join(', ')}`)
}

const clinic = await runClinic({ riverside: 4, lakeside: 1 })
try {
  const id = first(await patientsOf(clinic, 'physician'))
  const { gateway } = await clinic.another({ env: { PHI_LIMITS: UNLIMITED } })
  for (const [name, query] of Object.entries(OPERATIONS)) await compare({ ...clinic, gateway }, name, query, id)
  const { parses, validations, footprints } = gateway.preparations
  console.log(
    `parsed ${parses}, validated ${validations} and measured ${footprints} documents in ${3 * (ROUNDS + WARM_UP) * BATCH * Object.keys(OPERATIONS).length} requests`,
  )
} finally {
  await clinic.stop()
}
