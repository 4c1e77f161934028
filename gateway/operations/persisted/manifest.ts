import * as z from 'zod'
import { type BodyFault, readBody } from './operation-body.ts'
import { OPERATION_ID_FORM, operationId } from '../../model/operation-id.ts'

/** Bytes of a manifest in UTF-8. */
export const MAX_MANIFEST_BYTES = 20 * 1024 * 1024
/** Operations of a manifest. */
export const MAX_MANIFEST_OPERATIONS = 10_000

/** An operation of a manifest. */
export interface ManifestOperation {
  /** Without the prefix `sha256:`. It is looked up and never computed, because clients hash different texts. */
  readonly id: string
  readonly name: string
  readonly text: string
}

/** A fault of the manifest as a whole, or of one operation. */
export interface ManifestFault {
  /** The position of the operation in the manifest, from 0. Absent for the manifest as a whole. */
  readonly index?: number
  /** The id of the operation, if it is a valid id. */
  readonly id?: string
  readonly reason: keyof typeof MESSAGES
  /** Places in the text of the operation. */
  readonly locations?: BodyFault['locations']
}

const MESSAGES = {
  MANIFEST_TOO_LARGE: 'The manifest is too large. Split it by application.',
  TOO_MANY_OPERATIONS: 'The manifest has too many operations. Split it by application.',
  NOT_A_MANIFEST: 'The file is no manifest of Apollo (format 1) or of Relay.',
  EMPTY: 'The manifest has no operations.',
  INVALID_OPERATION: 'has a member that is missing, unknown or of the wrong type.',
  INVALID_ID: `has an invalid id. An id has ${OPERATION_ID_FORM}.`,
  DUPLICATE_ID: 'has the id of another operation with another text.',
  NAME_MISMATCH: 'has another name in its text.',
  TYPE_MISMATCH: 'has another type in its text.',
  BODY_TOO_LARGE: 'is too large.',
  NOT_PARSED: 'cannot be parsed.',
  NO_OPERATION: 'has no operation in its text.',
  SEVERAL_OPERATIONS: 'has several operations in its text.',
  ANONYMOUS: 'has no name in its text.',
  SUBSCRIPTION: 'is a subscription. The gateway has no subscriptions.',
} as const

/** A manifest is refused. The message names each operation by its position and id. */
export class ManifestRefused extends Error {
  override readonly name = 'ManifestRefused'
  readonly faults: readonly ManifestFault[]
  constructor(faults: readonly ManifestFault[]) {
    super(faults.map(manifestFaultText).join('\n'))
    this.faults = faults
  }
}

/** One line for a person: `Operation 3 (5e61...) is a subscription. ...` */
export function manifestFaultText({ index, id, reason, locations = [] }: ManifestFault): string {
  if (index === undefined) return MESSAGES[reason]
  const places = locations.map(({ line, column }) => ` Line ${line}, column ${column}.`)
  return `Operation ${index + 1}${id === undefined ? '' : ` (${id})`} ${MESSAGES[reason]}${places.join('')}`
}

interface Entry {
  readonly id: string
  readonly body: string
  readonly name?: string
  readonly type?: string
}

const Operation = z.strictObject({ id: z.string(), name: z.string(), type: z.string(), body: z.string() })
const ApolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.unknown()),
})
const Pair = z.tuple([z.string(), z.string()])

/**
 * Reads a manifest in one of three forms: that of `@apollo/generate-persisted-query-manifest` (format 1), and those of Relay,
 * `{id: text}` and `[[id, text]]`. Several ids may name one text. An operation that is there twice counts once.
 *
 * @throws ManifestRefused with all faults
 */
export function readManifest(text: string): readonly ManifestOperation[] {
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES) throw new ManifestRefused([{ reason: 'MANIFEST_TOO_LARGE' }])
  const entries = entriesOf(text)
  if (entries.length === 0) throw new ManifestRefused([{ reason: 'EMPTY' }])
  if (entries.length > MAX_MANIFEST_OPERATIONS) throw new ManifestRefused([{ reason: 'TOO_MANY_OPERATIONS' }])
  const operations = new Map<string, ManifestOperation>()
  const faults: ManifestFault[] = []
  for (const [index, entry] of entries.entries()) {
    const read = entry === undefined ? ({ reason: 'INVALID_OPERATION' } as const) : readEntry(entry)
    if ('reason' in read) faults.push({ index, ...read })
    else if ((operations.get(read.id) ?? read).text !== read.text) faults.push({ index, id: read.id, reason: 'DUPLICATE_ID' })
    else operations.set(read.id, read)
  }
  if (faults.length > 0) throw new ManifestRefused(faults)
  return [...operations.values()]
}

/** The operations of any form. Undefined for one that has no valid form. */
function entriesOf(text: string): readonly (Entry | undefined)[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // without a cause, because the message of the parser quotes the text
    throw new ManifestRefused([{ reason: 'NOT_A_MANIFEST' }])
  }
  if (Array.isArray(value)) return value.map((pair) => pairOf(Pair.safeParse(pair).data))
  const apollo = ApolloManifest.safeParse(value)
  if (apollo.success) return apollo.data.operations.map((operation) => Operation.safeParse(operation).data)
  return flatMembers(text).map(pairOf)
}

const pairOf = (pair: readonly [string, string] | undefined): Entry | undefined => pair && { id: pair[0], body: pair[1] }

/**
 * The members of a JSON object with texts alone, in their order. `JSON.parse` drops the first of two members with one name, so that
 * a duplicate would go unseen.
 *
 * @param json valid JSON
 */
function flatMembers(json: string): readonly (readonly [string, string])[] {
  const texts: string[] = []
  let between = ''
  let end = 0
  for (let start = json.indexOf('"'); start >= 0; start = json.indexOf('"', end)) {
    between += json.slice(end, start)
    for (end = start + 1; json[end] !== '"'; end++) if (json[end] === '\\') end++
    texts.push(JSON.parse(json.slice(start, ++end)) as string)
  }
  between += json.slice(end)
  if (!/^\s*\{[\s:,]*\}\s*$/.test(between)) throw new ManifestRefused([{ reason: 'NOT_A_MANIFEST' }])
  return Array.from({ length: texts.length / 2 }, (_, place) => [texts[2 * place] ?? '', texts[2 * place + 1] ?? ''])
}

function readEntry({ id: given, body: text, name, type }: Entry): ManifestOperation | Omit<ManifestFault, 'index'> {
  const id = operationId(given)
  if (id === undefined) return { reason: 'INVALID_ID' }
  const operation = readBody(text)
  if ('reason' in operation) return { id, ...operation }
  if (name !== undefined && name !== operation.name) return { id, reason: 'NAME_MISMATCH' }
  if (type !== undefined && type !== operation.type) return { id, reason: 'TYPE_MISMATCH' }
  return { id, name: operation.name, text }
}
