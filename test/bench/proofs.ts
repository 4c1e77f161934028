import { compilePolicy } from '../../directives/compile.ts'
import { evolve } from '../../gateway/operations/contracts/evolution.ts'
import { proposeContract } from '../../gateway/operations/contracts/propose.ts'
import { Prover } from '../../gateway/operations/contracts/prove.ts'
import { DEFAULT_LIMITS } from '../../gateway/operations/value-limits.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Role } from '../../directives/policy.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { generatedOperations } from '../gateway/operations/contracts/generated-operations.ts'

// `npm run bench:proofs [operations]`: how long it takes to prove all operations of all clients again after a change of the schema and
// the policy, 10,000 operations of 100 clients by default. The requirement is 10 s. Each text is another one.

const OPERATIONS = Number(process.argv[2] ?? 10_000)
const CLIENTS = 100

const options = { relationships: 'unchecked' } as const
const before = compilePolicy(clinicTypeDefs(), options)
// a filter has another name, a value has another name, and nurses of the organization read the medical record number
const changed = clinicTypeDefs().map(({ name, sdl }) => ({
  name,
  sdl: sdl
    .replace('since: DateTime @reads(field: "Condition.onsetDateTime")', 'from: DateTime @reads(field: "Condition.onsetDateTime")')
    .replace('  criticality: String\n', '  risk: String\n')
    .replace('  mrn: String\n', '  mrn: String @minimumNecessary(roles: [NURSE], relationship: ORGANIZATION)\n'),
}))
const after = compilePolicy(changed, options)

const prover = new Prover({ ...before, limits: DEFAULT_LIMITS })
const terms = {
  client: 'example',
  recipient: { name: 'Example', address: '1 Example Street' },
  expiresAt: Date.parse('2100-01-01T00:00:00Z') as Instant,
  networks: ['192.0.2.0/24'],
  roles: new Set(['NURSE' as Role]),
}
const readable = (coordinate: string): boolean => {
  const phi = before.policy.phi.get(coordinate as SchemaPath)
  return phi === undefined || phi.grants.some(({ roles, actions }) => actions.has('READ') && roles.has('NURSE' as Role))
}
const operations = generatedOperations(before.schema, OPERATIONS, readable)
const size = Math.ceil(OPERATIONS / CLIENTS)
const clients = Array.from({ length: CLIENTS }, (_, place) => {
  const own = operations.slice(place * size, (place + 1) * size)
  return { client: `client-${place}`, contract: proposeContract(prover, own, terms).contract, operations: own }
})

const [began, cpu] = [performance.now(), process.cpuUsage()]
const { broken, widened, refusedBefore } = await evolve({ before, after, clients, limits: DEFAULT_LIMITS, now: 0 as Instant })
const seconds = (performance.now() - began) / 1_000
const { user, system } = process.cpuUsage(cpu)
const peak = process.resourceUsage().maxRSS / 1_024
console.log(
  `${operations.length} operations of ${CLIENTS} clients proved again in ${seconds.toFixed(1)} s, ` +
    `${((user + system) / 1e6).toFixed(1)} s of CPU, at most ${peak.toFixed(0)} MB: ` +
    `${broken.length} break, ${widened.length} widen, ${refusedBefore.length} were refused before`,
)
