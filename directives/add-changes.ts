import { buildASTSchema, concatAST, isObjectType, parse, Source, type DocumentNode, type GraphQLSchema } from 'graphql'
import { changeSdl, type ChangeSdl } from './change-sdl.ts'
import type { TypeName } from './coordinates.ts'
import { FaultList } from './fault.ts'
import { HISTORY_ENTRY, HISTORY_FIELD, historySdl, type HistorySdl } from './history-sdl.ts'
import type { WritePolicy } from './policy.ts'
import { recordChanges, writePolicies } from './record-changes.ts'

/** A schema with the generated mutations of its change grants. */
export interface SchemaWithChanges {
  readonly schema: GraphQLSchema
  readonly writes: ReadonlyMap<TypeName, WritePolicy>
  /** The names of the generated types that lead to a record: payloads, and entries of a history. */
  readonly payloads: ReadonlySet<string>
}

/** The name of the generated source. Its nodes have lines of the generated text. */
export const GENERATED = 'generated from change grants'

/**
 * Builds the schema of a document. Adds inputs, payloads and root fields for each record type with grants of CREATE, UPDATE or DELETE. A
 * schema with such grants also gets the history of each stored record type.
 *
 * @throws PolicyFaults if the schema already has a generated name
 */
export function addChanges(document: DocumentNode): SchemaWithChanges {
  const base = buildASTSchema(document, { assumeValidSDL: true })
  const changes = recordChanges(base)
  if (changes.length === 0) return { schema: base, writes: new Map(), payloads: new Set() }
  const generated = changeSdl(changes)
  const history = historySdl(base)
  refuseClashes(base, generated, history)
  const text = [renderChanges(base, generated), ...Object.values(history.types), ...history.fields].join('\n')
  const sdl = parse(new Source(text, GENERATED))
  const schema = buildASTSchema(concatAST([document, sdl]), { assumeValidSDL: true })
  return { schema, writes: writePolicies(changes, mutationName(base)), payloads: new Set([...generated.payloads, HISTORY_ENTRY]) }
}

/** The generated SDL. Ends with a newline. */
function renderChanges(base: GraphQLSchema, { types, roots }: ChangeSdl): string {
  const mutation = base.getMutationType()
  const head = mutation ? `extend type ${mutation.name}` : `type ${mutationName(base)}`
  // a schema with a declaration of its roots has no other roots
  const root = !mutation && base.astNode ? [`extend schema {\n  mutation: ${mutationName(base)}\n}`] : []
  return `${[...types.map(({ sdl }) => sdl), ...root, `${head} {\n${roots.map(({ sdl }) => sdl).join('\n')}\n}`].join('\n\n')}\n`
}

function mutationName(base: GraphQLSchema): string {
  return base.getMutationType()?.name ?? 'Mutation'
}

/** Refuses a name that the schema has too. A merge would give clients a type that the grants do not describe. */
function refuseClashes(base: GraphQLSchema, { types, roots }: ChangeSdl, history: HistorySdl): void {
  const faults = new FaultList()
  refuseTaken(base, history, new Set(types.map(({ name }) => name)), faults)
  const instead = (type: string) => `another name, or no change grants on ${type}.`
  const seen = new Set<string>()
  for (const { name, for: type, members } of types) {
    const taken = base.getType(name)
    if (taken || seen.has(name))
      faults.add(
        (taken ?? type).astNode,
        name,
        `The change grants of the schema generate ${name} for ${type.name}, but the name is taken.`,
        instead(type.name),
      )
    seen.add(name)
    const repeated = members.find((member, index) => members.indexOf(member) < index)
    if (repeated !== undefined)
      faults.add(
        type.getFields()[repeated]?.astNode,
        `${type.name}.${repeated}`,
        `The change grants generate the member ${repeated} of ${name} for an edge, but the name is taken.`,
        instead(type.name),
      )
  }
  const mutation = base.getMutationType()
  const stray = mutation ? undefined : base.getType(mutationName(base))
  if (stray)
    faults.add(
      stray.astNode,
      stray.name,
      'The change grants need the root type Mutation, but the name is taken.',
      'another name, or this type as the root type of mutations.',
    )
  for (const { name, for: type } of roots) {
    const taken = isObjectType(mutation) ? mutation.getFields()[name] : undefined
    if (taken)
      faults.add(
        taken.astNode,
        `${mutationName(base)}.${name}`,
        `The change grants of ${type.name} generate the mutation ${name}, but the name is taken.`,
        instead(type.name),
      )
  }
  faults.throwIfAny()
}

/** Refuses a name of the history that the schema has too. */
function refuseTaken(base: GraphQLSchema, history: HistorySdl, generated: ReadonlySet<string>, faults: FaultList): void {
  const problem = (name: string): string =>
    `A schema with change grants has ${name} for the history of records, but the name is taken.`
  for (const name of Object.keys(history.types)) {
    const taken = base.getType(name)
    if (taken || generated.has(name)) faults.add(taken?.astNode, name, problem(name), 'another name.')
  }
  for (const type of history.records) {
    const field = type.getFields()[HISTORY_FIELD]
    const name = `${type.name}.${HISTORY_FIELD}`
    if (field) faults.add(field.astNode, name, problem(name), 'another name.')
  }
}
