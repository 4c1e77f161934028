import { getNamedType, type GraphQLOutputType, isEnumType, isLeafType, isListType, isNonNullType, isObjectType } from 'graphql'
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { CompiledPolicy } from '../../directives/compile.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordLabel } from '../../directives/policy.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import { dateSpan, precisionOf } from '../model/date-span.ts'
import { idOfUuid, type PatientId, type RecordId } from '../model/ids.ts'
import type { Json, Membership, NewRecord, RecordMetadata } from '../model/record.ts'
import { OWN_SOURCE } from '../store/record-source.ts'

// A line of NDJSON is a record of any schema. The ids in it are those of its source. A random UUID is the id of the record too, so that other
// systems that know it can be sources. Any other id is derived: a keyed hash that tells nothing of it.

const json: z.ZodType<Json> = z.json()
const id = z.string().min(1).max(500)
const fhirUser = z.string().regex(/^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/)

const Line = z.strictObject({
  type: z.string(),
  id,
  /** The id of the patient. A record of the patient's own type has none: its id is that of the patient. */
  patient: id.optional(),
  /** The values of PHI fields, by field name. */
  values: z.record(z.string(), json).default({}),
  /** The values of fields with `@notPhi`, by field name. */
  open: z.record(z.string(), json).default({}),
  /** Other records of the patient, by the name of the edge: `{"visit": "Visit/v-1"}`. */
  references: z.record(z.string(), z.string().regex(/^[A-Za-z_]\w*\/.+$/)).default({}),
  /** `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or a time of ISO 8601 with its offset. Lists are sorted by it. */
  date: z.string().optional(),
  codes: z.array(z.string()).optional(),
  categories: z.array(z.string()).optional(),
  labels: z.array(z.string()).optional(),
  author: fhirUser.optional(),
  /** The users with a relationship to the patient, on a line of the patient's own type. */
  memberships: z.array(z.strictObject({ user: fhirUser, relationship: z.enum(['CARE_TEAM', 'SELF', 'PROXY']) })).default([]),
})
type Line = z.infer<typeof Line>

/** A line is refused. The message names fields and types, and repeats no value. */
export class LineRefused extends Error {
  override readonly name = 'LineRefused'
}

/** A record with the memberships of its patient. */
export interface LoadedRecord {
  readonly record: NewRecord
  readonly memberships: readonly Membership[]
}

export interface LineParts {
  readonly compiled: CompiledPolicy
  readonly idFor: (type: string, sourceId: string) => RecordId
}

/**
 * Reads a line as a record of the schema.
 *
 * @throws LineRefused
 */
export function recordOfLine(text: string, { compiled, idFor: derived }: LineParts): LoadedRecord {
  const line = parsed(text)
  const idFor: LineParts['idFor'] = (of, sourceId) => idOfUuid(sourceId) ?? derived(of, sourceId)
  const { policy } = compiled
  const type = line.type as TypeName
  const record = policy.records.get(type)
  if (record === undefined)
    throw new LineRefused(`Unknown type. The schema has the types ${[...policy.records.keys()].join(', ')}.`)
  if (record.source !== OWN_SOURCE) throw new LineRefused(`${type} has the source ${record.source}, which keeps its own records.`)
  const patientType = [...policy.records.values()].find(({ patient }) => patient === 'id')?.type ?? type
  const isPatient = type === patientType
  if (isPatient === (line.patient !== undefined))
    throw new LineRefused(isPatient ? `${type} is the patient: omit "patient".` : `${type} needs "patient", the id of its patient.`)
  if (!isPatient && line.memberships.length > 0) throw new LineRefused(`Only a line of ${patientType} has "memberships".`)
  const patient = idFor(patientType, line.patient ?? line.id) as string as PatientId
  const values = valuesOf(line, compiled)
  const metadata = metadataOf(line, { compiled, idFor })
  return {
    record: {
      ref: { type, patient, id: isPatient ? (patient as string as RecordId) : idFor(type, line.id) },
      values,
      metadata: { ...metadata, source: digestOf(values, metadata) },
    },
    memberships: line.memberships.map(({ user, relationship }) => ({ patient, relationship, fhirUser: user, periods: [{}] })),
  }
}

/** SHA-256 of the content, by which the writer finds that a record is unchanged. @throws LineRefused */
function digestOf(values: NewRecord['values'], metadata: RecordMetadata): string {
  try {
    const content = canonicalText({ values: Object.fromEntries(values), metadata: metadata as object as Json })
    return createHash('sha256').update(content).digest('base64url')
  } catch {
    throw new LineRefused('A text of the line is no Unicode: it has half of a surrogate pair.')
  }
}

function parsed(text: string): Line {
  try {
    return Line.parse(JSON.parse(text))
  } catch (cause) {
    // the error of the parser quotes the line, so that it is no cause here
    throw new LineRefused(cause instanceof z.ZodError ? issueText(cause) : 'The line is not JSON.')
  }
}

/** The first issue, without names that the line chose: a name can be a value in the wrong place. */
function issueText({ issues: [issue] }: z.ZodError): string {
  const [member] = issue?.path ?? []
  if (issue?.code === 'unrecognized_keys')
    return member === undefined
      ? `The line has an unknown member. Its members are ${Object.keys(Line.shape).join(', ')}.`
      : `${String(member)}: an unknown member.`
  return `${String(member ?? 'The line')}: ${issue?.message ?? 'invalid'}`
}

function valuesOf({ type, values }: Line, { policy, schema }: CompiledPolicy): NewRecord['values'] {
  const stored = [...policy.phi]
    .filter(([path, phi]) => path.startsWith(`${type}.`) && phi.class !== 'EDGE' && !policy.computed.has(path))
    .map(([path]) => path)
  return new Map(
    Object.entries(values)
      .filter(([, value]) => value !== null)
      .map(([field, value]) => {
        const path = `${type}.${field}` as SchemaPath
        if (!stored.includes(path)) throw new LineRefused(`values: an unknown PHI field. ${type} has ${stored.join(', ')}.`)
        const found = fieldType(schema, type, field)
        if (found !== undefined && !isOf(value, found)) throw new LineRefused(`${path} is not of the type ${String(found)}.`)
        return [path, value]
      }),
  )
}

function metadataOf(line: Line, { compiled: { policy, schema }, idFor }: LineParts): RecordMetadata {
  const { date, codes, categories, labels, author } = line
  for (const [field, value] of Object.entries(line.open)) {
    const found = fieldType(schema, line.type, field)
    // the gateway makes the id that a client reads
    if (!policy.notPhi.has(`${line.type}.${field}` as never) || found === undefined || field === 'id')
      throw new LineRefused(`open: a field without @notPhi, an id, or an unknown field of ${line.type}.`)
    if (!isOf(value, found)) throw new LineRefused(`${line.type}.${field} is not of the type ${String(found)}.`)
  }
  const unknown = labels?.find((label) => !policy.consent.has(label as RecordLabel))
  if (unknown !== undefined) throw new LineRefused(`Unknown label. The schema has ${[...policy.consent.keys()].join(', ')}.`)
  return {
    open: line.open,
    references: Object.fromEntries(
      Object.entries(line.references).map(([edge, reference]) => {
        const slash = reference.indexOf('/')
        const to = reference.slice(0, slash)
        const isEdge = policy.records.has(to as TypeName) && namedType(fieldType(schema, line.type, edge)) === to
        if (!isEdge) throw new LineRefused(`references: ${line.type} has no field of this name with a record of this type.`)
        return [edge, idFor(to, reference.slice(slash + 1))]
      }),
    ),
    ...(date !== undefined && dateOf(date)),
    ...(codes && { codes }),
    ...(categories && { categories }),
    ...(labels && { labels: labels as RecordLabel[] }),
    ...(author !== undefined && { author }),
  }
}

function dateOf(text: string): Pick<RecordMetadata, 'date' | 'datePrecision'> {
  const span = dateSpan(text)
  if (span === undefined) throw new LineRefused('"date" is no date of ISO 8601. A time needs an offset, for instance Z.')
  const datePrecision = precisionOf(text)
  return { date: new Date(span.from).toISOString(), ...(datePrecision !== undefined && { datePrecision }) }
}

/** The type of a field, by its path below a type: `address.city`. */
function fieldType(schema: CompiledPolicy['schema'], type: string, path: string): GraphQLOutputType | undefined {
  let found: GraphQLOutputType | undefined
  let parent = schema.getType(type)
  for (const name of path.split('.')) {
    if (parent === undefined || !isObjectType(parent)) return undefined
    found = parent.getFields()[name]?.type
    parent = found === undefined ? undefined : schema.getType(namedType(found) ?? '')
  }
  return found
}

const namedType = (type: GraphQLOutputType | undefined): string | undefined => type && getNamedType(type).name

/** Whether a value is one of a type. A scalar of the schema's own takes any text, number or boolean. */
function isOf(value: Json, type: GraphQLOutputType): boolean {
  if (isNonNullType(type)) return value !== null && isOf(value, type.ofType)
  if (value === null) return true
  if (isListType(type)) return Array.isArray(value) && value.every((one: Json) => isOf(one, type.ofType))
  if (isLeafType(type)) return isLeaf(value, type)
  if (!isObjectType(type) || typeof value !== 'object' || Array.isArray(value)) return false
  const fields = type.getFields()
  return (
    Object.keys(value).every((name) => fields[name] !== undefined) &&
    Object.values(fields).every(({ name, type: of }) =>
      isOf(Object.hasOwn(value, name) ? ((value as Record<string, Json>)[name] ?? null) : null, of),
    )
  )
}

function isLeaf(value: Json, type: GraphQLOutputType & { readonly name: string }): boolean {
  if (isEnumType(type)) return typeof value === 'string' && type.getValue(value) !== undefined
  if (type.name === 'Int') return Number.isInteger(value) && Math.abs(value as number) < 2 ** 31
  if (type.name === 'Float') return typeof value === 'number'
  if (type.name === 'Boolean') return typeof value === 'boolean'
  if (type.name === 'String' || type.name === 'ID') return typeof value === 'string'
  return typeof value !== 'object'
}
