import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { compilePolicy, type CompiledPolicy } from '../directives/compile.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { grantLines } from '../directives/grant-lines.ts'
import { grantInWords } from '../directives/grant-words.ts'
import { columns } from '../directives/table.ts'
import { NoStack, readStackFile } from '../infra/local/stack-file.ts'
import { fetchToken, NoToken } from '../infra/local/token.ts'
import { clinicTypeDefs } from '../schema/clinic.ts'
import { printText } from './terminal.ts'

export interface ExplainOptions {
  readonly user?: string
  readonly query?: string
  readonly patient?: string
  readonly purpose?: string
}

/** A failure that the user of the command can correct. */
class NotExplained extends Error {}

/** Prints the explanation of a rule, or of the decisions on an operation. Exit code 1 on failure. */
export async function printExplanation(rule: string | undefined, options: ExplainOptions): Promise<void> {
  try {
    printText(rule === undefined ? await explainOperation(options) : explainRule(rule))
  } catch (error) {
    const isCorrectable = [NotExplained, PolicyFaults, NoStack, NoToken].some((kind) => error instanceof kind)
    if (!isCorrectable || !(error instanceof Error)) throw error
    printText(`${error.message}\n`, 'stderr')
    process.exitCode = 1
  }
}

/** The SDL line with its location, the grant in words, and the paths that the rule applies to. */
function explainRule(rule: string): string {
  // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
  const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  const written = grantLines(schema).get(rule)
  if (written === undefined) throw new NotExplained('The schema has no such rule. Use a name like Patient.birthDate#2.')
  const paths = [...policy.phi.values()].filter(({ grants }) => grants.some((grant) => grant.rule === rule))
  const grant = paths[0]?.grants.find((one) => one.rule === rule)
  return [
    `${written.source.name}:${written.line}`,
    `  ${written.sdl}`,
    ...(grant === undefined ? [] : [grantInWords(grant)]),
    paths.length === 0 ? 'applies to no path: each field has its own grants' : 'applies to:',
    ...paths.map(({ path }) => `  ${path}${searchNote(policy, path)}`),
    '',
  ].join('\n')
}

/** Marks a searchable value, and names the values that a search must combine with it. Full read access includes the search. */
function searchNote({ searchable }: CompiledPolicy['policy'], path: SchemaPath): string {
  const index = [...searchable.values()].find((one) => one.path === path || one.with.includes(path))
  if (index === undefined) return ''
  const others = [index.path, ...index.with].filter((part) => part !== path)
  return others.length === 0 ? ', searchable' : `, searchable together with ${others.join(', ')}`
}

const text = z.string().nullable()
const Answer = z.object({
  data: z
    .object({
      explainAccess: z
        .object({
          purpose: z.string(),
          assumed: z.array(z.string()),
          paths: z.array(
            z.object({
              path: z.string(),
              action: z.string(),
              outcome: z.string(),
              view: text,
              reason: text,
              rule: text,
              at: text,
              dependsOn: z.array(z.string()),
              breakGlass: z.boolean(),
              consentCouldClose: z.boolean(),
            }),
          ),
        })
        .nullable(),
    })
    .nullish(),
  errors: z.array(z.object({ extensions: z.object({ code: z.string() }) })).optional(),
})
const EXPLAIN = `query ($query: String!, $patient: ID) { explainAccess(query: $query, patientId: $patient) {
  purpose assumed paths { path action outcome view reason rule at dependsOn breakGlass consentCouldClose } } }`

async function explainOperation({ user, query, patient, purpose }: ExplainOptions): Promise<string> {
  if (user === undefined || query === undefined) throw new NotExplained('Specify a rule, or --user and --query.')
  const stack = readStackFile()
  const token = await fetchToken(stack, user, purpose)
  const response = await fetch(stack.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: EXPLAIN, variables: { query: operationIn(query), patient } }),
    signal: AbortSignal.timeout(15_000),
  })
  const { data, errors = [] } = Answer.parse(await response.json())
  const plan = data?.explainAccess
  if (!plan) {
    const codes = errors.map(({ extensions }) => extensions.code).join(' ')
    throw new NotExplained(`The gateway did not explain the operation: ${codes}. Correct the operation or the options.`)
  }
  const rows = plan.paths.map(({ path, action, outcome, view, reason, rule, at, dependsOn, breakGlass, consentCouldClose }) => [
    path,
    action,
    outcome,
    reason ?? view ?? '',
    rule ?? '',
    [
      ...(at === null ? [] : [`at ${at}`]),
      ...(dependsOn.length === 0 ? [] : [`depends on ${dependsOn.join(' ')}`]),
      ...(breakGlass ? ['break-glass could allow it'] : []),
      ...(consentCouldClose ? ['a consent could deny it'] : []),
    ].join(', '),
  ])
  const assumed = plan.assumed.map((line) => `${line}\n`).join('')
  return `for ${plan.purpose}\n${columns([['path', 'action', 'outcome', 'view or reason', 'rule', ''], ...rows])}${assumed}`
}

function operationIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new NotExplained('Cannot read the file with the operation. Check the path in --query.', { cause })
  }
}
