import * as z from 'zod'
import { compilePolicy, type CompiledPolicy } from '../directives/compile.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { grantLines } from '../directives/grant-lines.ts'
import { grantInWords } from '../directives/grant-words.ts'
import { columns } from '../directives/table.ts'
import type { StackFile } from '../infra/local/stack-file.ts'
import { START_COMMAND } from '../infra/local/start-command.ts'
import { fetchToken } from '../infra/local/token.ts'
import { projectTypeDefs } from '../schema/project.ts'
import { unknownText } from './choices.ts'
import { readInputText } from './files.ts'
import { Refused } from './refused.ts'
import { stackOf } from './stack-user.ts'
import { printText } from './terminal.ts'

export interface ExplainOptions {
  readonly user?: string
  readonly query?: string
  readonly patient?: string
  readonly purpose?: string
}

/** Prints the explanation of a rule, or of the decisions on an operation. @throws Refused, NoStack, NoToken */
export async function printExplanation(rule: string | undefined, options: ExplainOptions): Promise<void> {
  try {
    printText(rule === undefined ? await explainOperation(options) : explainRule(rule))
  } catch (error) {
    if (!(error instanceof PolicyFaults)) throw error
    printText(`${error.message}\n`, 'stderr')
    process.exitCode = 1
  }
}

/** The SDL line with its location, the grant in words, and the paths that the rule applies to. */
function explainRule(rule: string): string {
  // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
  const { schema, policy } = compilePolicy(projectTypeDefs(), { relationships: 'unchecked' })
  const rules = grantLines(schema)
  const written = rules.get(rule)
  if (written === undefined) throw new Refused(unknownRuleText(rule, [...rules.keys()]))
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

/** A field without a number is given its own rules. */
function unknownRuleText(given: string, rules: readonly string[]): string {
  const own = rules.filter((rule) => rule.startsWith(`${given}#`))
  if (own.length > 0) return `a rule has a number. The rules of ${given} are: ${own.join(', ')}.`
  return unknownText(given, { noun: 'rule', of: 'the schema', known: rules, option: '<rule>', list: 'phi policy table' })
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
  if (user === undefined || query === undefined)
    throw new Refused('specify a rule, such as Patient.birthDate#2, or --user and --query.')
  const operation = readInputText(query, '--query')
  const stack = await stackOf({ user, purpose }, '--user')
  const token = await fetchToken(stack, user, purpose)
  const response = await ask(stack, token, { query: operation, patient })
  const { data, errors = [] } = Answer.parse(await response.json())
  const plan = data?.explainAccess
  if (!plan) {
    const codes = errors.map(({ extensions }) => extensions.code).join(' ')
    throw new Refused(
      `the gateway did not explain the operation: ${codes}. Correct the operation in --query, --patient or --purpose.`,
    )
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

const ANSWERS_MS = 15_000

async function ask(
  { graphql }: Pick<StackFile, 'graphql'>,
  token: string,
  variables: { readonly query: string; readonly patient: string | undefined },
): Promise<Response> {
  try {
    return await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: EXPLAIN, variables }),
      signal: AbortSignal.timeout(ANSWERS_MS),
    })
  } catch (cause) {
    throw new Refused(
      `the gateway at ${graphql} did not answer. Check that the local stack still runs, or start it again with \`${START_COMMAND}\`.`,
      { cause },
    )
  }
}
