import type { GraphQLSchema } from 'graphql'
import { createHash } from 'node:crypto'
import type { Coordinate, SchemaPath } from './coordinates.ts'
import type { ConsentPolicy, PhiPolicy, PolicyTable, RecordLabel } from './policy.ts'
import { addChanges } from './add-changes.ts'
import { readCalls } from './calls.ts'
import { lintComparisons, readComparisons } from './comparisons.ts'
import { classifyInterfaces } from './classify-interfaces.ts'
import { classifyObjects, type PhiSite } from './classify.ts'
import { lintLabelNames, readConfidentiality } from './confidentiality.ts'
import { lintEnums, readConsent, readRoles } from './enums.ts'
import { FaultList } from './fault.ts'
import { lintFreeText, readFreeText } from './free-text.ts'
import { phiPolicy } from './grants.ts'
import { lintChanges } from './lint-changes.ts'
import { lintGrantLines, lintSite, type KnownRelationships } from './lint-grants.ts'
import { lintArguments, lintFields, lintTypes, readRecords } from './lint-marks.ts'
import { lintReferences } from './lint-references.ts'
import { renderLock } from './lock.ts'
import { parseDocument, refuseInvalid, type SdlSource } from './parse-sources.ts'
import { markedPlaces, readDirective } from './read-directives.ts'
import { readSearchable } from './searchable.ts'
import { typeKinds } from './type-kinds.ts'

export interface CompiledPolicy {
  /** The schema without resolvers. Its AST nodes keep file and line. */
  readonly schema: GraphQLSchema
  readonly policy: PolicyTable
  /** The text for `schema/policy.lock`; `policy.digest` is its SHA-256. */
  readonly lock: string
}

export interface CompileOptions {
  /** The relationships with a registered function. There is no default: only an explicit `'unchecked'` skips the check. */
  readonly relationships: KnownRelationships
}

/**
 * Compiles SDL with directives to the table that all decisions read. Adds the mutations that its change grants allow.
 *
 * Pure, except that it reads `directives.graphql` and adds it to the sources. A schema with a fault gives no table (P3):
 * 45 CFR 164.502(b) requires the minimum necessary, and an unreviewed field cannot meet it.
 *
 * @throws PolicyFaults with all faults at once, each with file, line, path and what to write instead
 */
export function compilePolicy(sources: readonly SdlSource[], { relationships }: CompileOptions): CompiledPolicy {
  const { schema, writes, payloads } = addChanges(parseDocument(sources))
  refuseInvalid(schema)
  const faults = new FaultList()

  lintArguments(schema, faults)
  lintEnums(schema, faults)
  const roles = readRoles(schema, faults)
  lintLabelNames(schema, faults)
  const consent = new Map<RecordLabel, ConsentPolicy>([
    ...readConsent(schema, faults),
    ...readConfidentiality(schema, relationships, faults),
  ])
  const calls = readCalls(schema, roles, faults)
  const records = readRecords(schema, faults)

  const kinds = typeKinds(schema, payloads)
  lintFields(schema, faults)
  lintTypes(schema, kinds, faults)
  lintFreeText(schema, kinds, faults)
  lintGrantLines(schema, roles, relationships, faults)
  const { classes, sites } = classifyObjects(schema, kinds, faults)
  classifyInterfaces(schema, classes, faults)
  for (const site of sites) lintSite(schema, site, faults)
  lintChanges(schema, sites, faults)
  lintReferences(schema, sites, faults)
  lintComparisons(schema, sites, records, faults)
  faults.throwIfAny()

  const policies = sites.map((site) => phiPolicy(schema, site)).filter((policy): policy is PhiPolicy => policy !== undefined)
  const table = {
    phi: new Map(policies.map((policy) => [policy.path, policy])),
    notPhi: readReasons(schema),
    records,
    classes,
    computed: readComputed(schema, sites),
    freeText: readFreeText(sites),
    reads: readReads(schema),
    writes,
    searchable: readSearchable(schema, sites),
    comparisons: readComparisons(schema, sites),
    calls,
    roles,
    consent,
  }
  const lock = renderLock(table, table.reads)
  return { schema, policy: { ...table, digest: lockDigest(lock) }, lock }
}

/** SHA-256 of a lock's text as 64 hex digits. */
export function lockDigest(lock: string): string {
  return createHash('sha256').update(lock, 'utf8').digest('hex')
}

function readReasons(schema: GraphQLSchema): ReadonlyMap<Coordinate, string> {
  const reasons = new Map<Coordinate, string>()
  for (const { path, definition } of markedPlaces(schema)) {
    const because = readDirective(schema, definition, 'notPhi')[0]?.value?.because
    if (because !== undefined) reasons.set(path as Coordinate, because)
  }
  return reasons
}

function readComputed(schema: GraphQLSchema, sites: readonly PhiSite[]): ReadonlyMap<SchemaPath, readonly SchemaPath[]> {
  const computed = new Map<SchemaPath, readonly SchemaPath[]>()
  for (const { path, field } of sites) {
    const from = readDirective(schema, field, 'computed')[0]?.value?.from
    if (from !== undefined) computed.set(path, from as readonly SchemaPath[])
  }
  return computed
}

function readReads(schema: GraphQLSchema): ReadonlyMap<string, SchemaPath> {
  const reads = new Map<string, SchemaPath>()
  for (const { path, definition } of markedPlaces(schema)) {
    const field = readDirective(schema, definition, 'reads')[0]?.value?.field
    if (field !== undefined) reads.set(path, field as SchemaPath)
  }
  return reads
}
