import { Command } from 'commander'
import { isInterfaceType, isObjectType } from 'graphql'
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { compilePolicy, type CompiledPolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { grantInWords } from '../directives/grant-words.ts'
import { readDirective } from '../directives/read-directives.ts'
import { columns } from '../directives/table.ts'
import { NoStack, readStackFile } from '../infra/local/stack-file.ts'
import { fetchToken, NoToken } from '../infra/local/token.ts'
import { clinicTypeDefs } from '../schema/clinic.ts'
import type { SchemaPath } from '../directives/coordinates.ts'

interface ExplainOptions {
  readonly user?: string
  readonly query?: string
  readonly patient?: string
  readonly purpose?: string
}

/** It cannot be explained, for a reason that the person at the keyboard can mend. */
class NotExplained extends Error {}

/** `phi policy explain RULE`, offline; `phi policy explain --user U --query FILE [--patient ID]`, of the running stack. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('the line behind a rule, or what an operation would give a demo user. Exit code 1 where it cannot be explained')
    .argument('[rule]', 'Patient.birthDate#2, or Patient#1 for a default of the type')
    .option('--user <user>', 'a demo user of the local stack: physician, billing, ...')
    .option('--query <file>', 'the file with the operation')
    .option('--patient <id>', 'the id of the patient that it is asked about')
    .option('--purpose <purpose>', 'the purpose of use to claim, for instance TREAT')
    .action(async (rule: string | undefined, options: ExplainOptions) => {
      try {
        process.stdout.write(rule === undefined ? await explainOperation(options) : explainRule(rule))
      } catch (error) {
        const known = [NotExplained, PolicyFaults, NoStack, NoToken].some((kind) => error instanceof kind)
        if (!known || !(error instanceof Error)) throw error
        process.stderr.write(`${error.message}\n`)
        process.exitCode = 1
      }
    })
}

/** The line of SDL with its place, what it grants in words, and the paths for which it is in force. */
function explainRule(rule: string): string {
  // no decision is taken here; the gateway compiles with the names that it has functions for
  const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  const location = lineOf(schema, rule)
  if (location === undefined) throw new NotExplained('The schema has no such rule. Rules are named like Patient.birthDate#2.')
  const { source, start, end, startToken } = location
  const reached = [...policy.phi.values()].filter(({ grants }) => grants.some((grant) => grant.rule === rule))
  const grant = reached[0]?.grants.find((written) => written.rule === rule)
  return [
    `${source.name}:${startToken.line}`,
    `  ${source.body.slice(start, end)}`,
    ...(grant === undefined ? [] : [grantInWords(grant)]),
    reached.length === 0 ? 'reaches no path: each field has lines of its own' : 'reaches:',
    ...reached.map(({ path }) => `  ${path}${searchedBy(policy, path)}`),
    '',
  ].join('\n')
}

/** Whether patients are found by the value, and what has to be given with it: who may read it in full, may search by it. */
function searchedBy({ searchable }: CompiledPolicy['policy'], path: SchemaPath): string {
  const index = [...searchable.values()].find((one) => one.path === path || one.with.includes(path))
  if (index === undefined) return ''
  const others = [index.path, ...index.with].filter((part) => part !== path)
  return others.length === 0 ? ', which patients are found by' : `, which patients are found by together with ${others.join(', ')}`
}

function lineOf(schema: CompiledPolicy['schema'], rule: string) {
  const [, typeName = '', fieldName, ordinal] = /^(\w+)(?:\.(\w+))?#(\d+)$/.exec(rule) ?? []
  const type = schema.getType(typeName)
  if (!isObjectType(type) && !isInterfaceType(type)) return undefined
  const definition = fieldName === undefined ? type : type.getFields()[fieldName]
  const written = definition && readDirective(schema, definition, 'minimumNecessary')
  return written?.find((line) => line.ordinal === Number(ordinal))?.node.loc
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
  if (user === undefined || query === undefined) throw new NotExplained('Give a rule, or --user and --query.')
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
  if (!plan) throw new NotExplained(`The gateway explains nothing: ${errors.map(({ extensions }) => extensions.code).join(' ')}`)
  const rows = plan.paths.map(({ path, action, outcome, view, reason, rule, at, dependsOn, breakGlass, consentCouldClose }) => [
    path,
    action,
    outcome,
    reason ?? view ?? '',
    rule ?? '',
    [
      ...(at === null ? [] : [`at ${at}`]),
      ...(dependsOn.length === 0 ? [] : [`depends on ${dependsOn.join(' ')}`]),
      ...(breakGlass ? ['break-glass opens it'] : []),
      ...(consentCouldClose ? ['a consent could close it'] : []),
    ].join(', '),
  ])
  const assumed = plan.assumed.map((line) => `${line}\n`).join('')
  return `for ${plan.purpose}\n${columns([['path', 'action', 'outcome', 'view or reason', 'rule', ''], ...rows])}${assumed}`
}

function operationIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new NotExplained('The file with the operation cannot be read.', { cause })
  }
}
