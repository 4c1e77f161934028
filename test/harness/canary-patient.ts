import {
  getNullableType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isListType,
  isObjectType,
  type GraphQLSchema,
} from 'graphql'
import { compilePolicy, type CompiledPolicy } from '../../directives/compile.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId, UserId } from '../../gateway/model/ids.ts'
import type { Json, Membership, NewRecord } from '../../gateway/model/record.ts'
import type { RecordSignature } from '../../gateway/model/signature.ts'
import { Markers } from './canary-markers.ts'

/** A patient with one record of every type of a schema. Every value is a marker. */
export interface CanaryPatient {
  readonly patient: PatientId
  readonly records: readonly NewRecord[]
  readonly memberships: readonly Membership[]
  readonly markers: Markers
  /** Selects all fields, by `$id`. */
  readonly query: string
}

/** Fields that are not among the open ones of the metadata. */
const ELSEWHERE: ReadonlySet<string> = new Set(['id', 'version', 'signature'])
const SINCE = '1990-01-01T00:00:00.000Z'

/** Derived from the schema, so that the search includes a new field at once. */
export function canaryPatient(
  { schema, policy }: CompiledPolicy,
  idFor: (type: string, source: string) => RecordId,
): CanaryPatient {
  const markers = new Markers()
  const id = idFor('Patient', markers.text('source'))
  const patient = id as string as PatientId
  const idOf = (type: string): RecordId => (type === 'Patient' ? id : idFor(type, 'canary'))
  const records = [...policy.records.keys()].map((type): NewRecord => {
    const values = new Map<SchemaPath, Json>()
    for (const [path, { class: kind }] of policy.phi) {
      if (kind !== 'VALUE' || policy.computed.has(path) || !path.startsWith(`${type}.`)) continue
      values.set(path, valueOf(markers, path, fieldAt(schema, path).type))
    }
    const fields = Object.values(objectType(schema, type).getFields())
    const open = fields.filter(({ name }) => !ELSEWHERE.has(name) && policy.notPhi.has(`${type}.${name}` as never))
    const isSignable = fields.some(({ name }) => name === 'signature')
    const references = fields.filter(({ name }) => name === 'encounter')
    return {
      ref: { type, patient, id: idOf(type) },
      values,
      metadata: {
        open: Object.fromEntries(open.map((field) => [field.name, valueOf(markers, `${type}.${field.name}`, field.type)])),
        references: Object.fromEntries(references.map(({ name }) => [name, idOf('Encounter')])),
        date: markers.instant(`${type} (date)`),
        codes: [markers.text(`${type} (codes)`)],
        categories: [markers.text(`${type} (category)`)],
        author: markers.text(`${type} (author)`),
        ...(isSignable && { signature: signatureOf(markers, { type, patient, id: idOf(type) }) }),
      },
    }
  })
  const periods = [{ since: SINCE }]
  return {
    patient,
    records,
    memberships: [
      { patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/canary-physician', periods },
      { patient, relationship: 'SELF', fhirUser: 'Patient/canary-patient', periods },
    ],
    markers,
    query: `query ($id: ID!) { patient(id: $id) { ${selection(schema, policy, objectType(schema, 'Patient' as TypeName))} } }`,
  }
}

/** A signature that no key made: it is given as broken. */
const signatureOf = (markers: Markers, ref: RecordRef): RecordSignature => ({
  statement: {
    ...ref,
    statement: 'phi-gateway signature v1',
    tenant: 'canary' as TenantId,
    version: 1,
    user: markers.text(`${ref.type} (user)`) as UserId,
    signer: markers.text(`${ref.type}.signature.signer`),
    signedAt: markers.instant(`${ref.type}.signature.signedAt`),
    digest: markers.text(`${ref.type} (digest)`),
    sealedDigest: markers.text(`${ref.type} (seals)`),
  },
  signature: 'AAAA',
})

/** The markers of the canary patient of the shipped clinic: the same in every process. */
export function clinicMarkers(): Markers {
  const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  return canaryPatient(compiled, () => '' as RecordId).markers
}

function valueOf(markers: Markers, path: string, given: GraphQLOutputType): Json {
  const type = getNullableType(given)
  if (isListType(type)) return [valueOf(markers, path, type.ofType)]
  if (isObjectType(type)) {
    const fields = Object.values(type.getFields())
    return Object.fromEntries(fields.map((field) => [field.name, valueOf(markers, `${path}.${field.name}`, field.type)]))
  }
  switch (type.name) {
    case 'PartialDate':
      return markers.date(path)
    case 'DateTime':
      return markers.instant(path)
    case 'Float':
      return markers.float(path)
    case 'String':
    case 'ID':
      return markers.text(path)
    case 'Boolean':
      markers.unsearchable.push(path)
      return true
    case 'Int':
      markers.unsearchable.push(path)
      return 7
    default:
      throw new TypeError('the canary patient has no value for a type of this schema')
  }
}

/** All fields of a type, and the records of its lists. */
function selection(schema: GraphQLSchema, policy: CompiledPolicy['policy'], type: GraphQLObjectType): string {
  return Object.values(type.getFields())
    .flatMap((field) => selected(schema, policy, type, field) ?? [])
    .join(' ')
}

function selected(
  schema: GraphQLSchema,
  policy: CompiledPolicy['policy'],
  parent: GraphQLObjectType,
  { name, type: given }: GraphQLField<unknown, unknown>,
): string | undefined {
  const nullable = getNullableType(given)
  const type = isListType(nullable) ? getNullableType(nullable.ofType) : nullable
  if (!isObjectType(type)) return name
  const isRecord = (record: GraphQLObjectType): boolean => policy.records.has(record.name as TypeName)
  // a to-one edge leads back or sideways
  if (isRecord(type)) return undefined
  const edge = type.getFields()['edges']
  if (edge === undefined || !isRecord(parent)) return `${name} { ${selection(schema, policy, type)} }`
  const node = type.name.replace(/Connection$/, '') as TypeName
  // the entries of a history lead back to the record
  if (!policy.records.has(node)) return undefined
  return `${name} { edges { node { ${selection(schema, policy, objectType(schema, node))} } } }`
}

function fieldAt(schema: GraphQLSchema, path: string): GraphQLField<unknown, unknown> {
  const [root = '', ...names] = path.split('.')
  let type = objectType(schema, root as TypeName)
  let field: GraphQLField<unknown, unknown> | undefined
  for (const name of names) {
    field = type.getFields()[name]
    const inside = field && getNullableType(field.type)
    if (isObjectType(inside)) type = inside
  }
  if (field === undefined) throw new TypeError('the canary patient has a path that the schema has not')
  return field
}

function objectType(schema: GraphQLSchema, name: TypeName): GraphQLObjectType {
  const type = schema.getType(name)
  if (!isObjectType(type)) throw new TypeError('the canary patient needs an object type')
  return type
}
