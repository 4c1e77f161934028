import { randomBytes } from 'node:crypto'
import type { AuditEntry } from '../../gateway/audit/entry.ts'
import { Pseudonyms } from '../../gateway/crypto/pseudonym.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../../gateway/model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../../gateway/model/node-id.ts'
import type { ClinicAnswer, RunningClinic } from '../harness/running-clinic.ts'

export const RIVERSIDE = 'riverside' as TenantId
export const LAKESIDE = 'lakeside' as TenantId

/** The value at a place of an answer; undefined if the place does not exist. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inside, key) => (inside as Record<string | number, unknown> | null | undefined)?.[key], value)
}

/** The nodes of a connection at a place of an answer. */
export function nodesAt(value: unknown, ...path: readonly (string | number)[]): unknown[] {
  return ((at(value, ...path, 'edges') ?? []) as readonly unknown[]).map((edge) => at(edge, 'node'))
}

/** The node ids of a user's patients, in the order of the list. */
export async function patientsOf({ ask }: Pick<RunningClinic, 'ask'>, user: string): Promise<string[]> {
  const answer = await ask(user, '{ patients(first: 100) { edges { node { id } } } }')
  return nodesAt(answer.data, 'patients').map((node) => String(at(node, 'id')))
}

/** The first of several. A fixture without one is a fault of the test. */
export function first<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined) throw new Error('the fixture has none')
  return item
}

/** A well-formed id without a record. */
export function madeUpId(): string {
  const id = randomBytes(16).toString('base64url')
  return encodeNodeId({ type: 'Patient' as TypeName, patient: id as PatientId, id: id as RecordId })
}

/** The study of the demo. */
export const STUDY = 'RIVERSIDE-A1C'

/** The pseudonym of a node id in the study of riverside. */
export async function pseudonymOf(
  { services }: Pick<RunningClinic, 'services'>,
  nodeId: string,
  protocol: string = STUDY,
): Promise<string> {
  const ref = decodeNodeId(nodeId)
  if (ref === undefined) throw new Error('no node id')
  return new Pseudonyms(await services.keyring.purposeKey(RIVERSIDE, 'pseudonym'), { tenant: RIVERSIDE, protocol }).seal(ref)
}

export async function auditOf(
  { services }: Pick<RunningClinic, 'services'>,
  { phi }: ClinicAnswer,
  tenant = RIVERSIDE,
): Promise<AuditEntry[]> {
  return await services.history.ofRequest(tenant, phi.requestId)
}

/** The audited outcomes of all paths, sorted. */
export function outcomesOf(entries: readonly AuditEntry[]): string[] {
  return entries
    .map(({ path, outcome, reason, view }) =>
      [path, outcome, reason, view === 'FULL' ? undefined : view].filter((part) => part !== undefined).join(' '),
    )
    .toSorted()
}

/** Requests to the tables and to KMS during some work. */
export async function workOf<T>(
  { services }: Pick<RunningClinic, 'services'>,
  work: () => Promise<T>,
): Promise<{ result: T; requests: { records: number; access: number; keys: number; kms: number } }> {
  const count = (): { records: number; access: number; keys: number; kms: number } => ({
    records: services.records.counter.requests,
    access: services.access.counter.requests,
    keys: services.keys.counter.requests,
    kms: services.keyring.counts.kms,
  })
  const before = count()
  const result = await work()
  const after = count()
  return {
    result,
    requests: {
      records: after.records - before.records,
      access: after.access - before.access,
      keys: after.keys - before.keys,
      kms: after.kms - before.kms,
    },
  }
}
