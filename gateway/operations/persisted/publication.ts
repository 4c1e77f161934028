import { MAX_ACTIONS } from '../../audit/submission.ts'
import type { AppVersion, Approval } from '../../model/registered-operation.ts'
import { operationKey, textKey } from '../../store/operation-keys.ts'
import type { OperationItem, OperationTable } from '../../store/operations.ts'
import { isAppName, isOperationId, isOperationName, isOperationText } from './text-limits.ts'
import { type Change, changeRecord, type Changes, type ClientEntry, refusal, type RegistryRefusal } from './registry-change.ts'
import { openOperation, type OperationContent, sealOperation } from './registry-items.ts'
import { MAX_IDS_OF_TEXT } from './stored-registry.ts'
import { begun, entryOf, published, publishedIn } from './version-states.ts'

/** An operation of a manifest, validated and proved by the caller. */
export interface PublishedOperation {
  readonly id: string
  readonly name: string
  readonly text: string
  /** The canonical hash of the text: `documentHash`. */
  readonly textHash: string
}

/** A decision to publish operations in a version of an application. */
export interface Publication {
  readonly operations: readonly PublishedOperation[]
  readonly appVersion: AppVersion
  readonly approval: Approval
  readonly state: 'PENDING' | 'ACTIVE'
}

/** Each operation has two items, and a request reads a hundred. */
const AT_ONCE = 50
/** The client and its place in the list; the audit record is one action. */
const OTHER_ACTIONS = 3
/**
 * The sealed bytes of one transaction. All items of a client have one partition key, which takes 1,000 write units a second: a larger
 * transaction would be throttled whenever it is sent. A transaction takes two units for each KiB of an item.
 */
const MAX_BYTES = 200_000
/** An item besides its sealed bytes: its keys, and the ids of a text. A write takes at least this. */
const ITEM_BYTES = 1_000

/** The writes of one operation: its own item, and the item of its text. */
interface Unit {
  readonly items: readonly OperationItem[]
  readonly bytes: number
}

/** An operation as it was read before the publication. */
interface Found {
  readonly operation: PublishedOperation
  readonly before: OperationContent | undefined
  readonly ids: readonly string[]
}

/**
 * Returns the changes of a publication. Only the last one makes its operations part of the version, so that a publication that was ended
 * before serves nothing, and can be repeated.
 *
 * @throws StoreUnavailable, IntegrityFailure, KeyUnavailable, ValueNotSealable
 */
export async function publicationChanges(
  table: OperationTable,
  entry: ClientEntry,
  { operations, appVersion, approval, state }: Publication,
): Promise<Changes> {
  if (!isAppName(appVersion.app) || !isAppName(appVersion.version)) return refusal('INVALID')
  const distinct = distinctOperations(operations)
  if ('refused' in distinct) return distinct
  const found = await find(table, entry, distinct)
  const refused = refusalOf(found)
  if (refused !== undefined) return refused

  const { versions } = entry.content
  const number = entry.content.version + 1
  const units = unitsOf(entry, found, appVersion, approval, number)
  const after = published(versions, appVersion, number, state)
  if (after === undefined) return refusal('TOO_MANY_VERSIONS')
  const isUnchanged = entryOf(versions, appVersion)?.state === entryOf(after, appVersion)?.state
  if (units.length === 0 && entry.exists && isUnchanged) return []
  const batches = batchesOf(units)
  const during = batches.length === 1 ? after : begun(versions, number)
  if (during === undefined) return refusal('TOO_MANY_VERSIONS')
  return batches.map((batch, place): Change => {
    const items = new Map(batch.flatMap((unit) => unit.items.map((item) => [item.key.sk, item])))
    return {
      writes: [
        ...entry.next({ versions: place === batches.length - 1 ? after : during }),
        ...[...items.values()].map((item) => table.put(item)),
      ],
      record: changeRecord(entry.of, 'OPERATION', 'CREATE', batch.length),
    }
  })
}

/** The operations by id. The same operation may be in a manifest twice. */
function distinctOperations(operations: readonly PublishedOperation[]): readonly PublishedOperation[] | RegistryRefusal {
  const invalid = operations.filter(
    ({ id, name, text, textHash }) =>
      !(isOperationId(id) && isOperationName(name) && isOperationText(text) && isOperationId(textHash)),
  )
  if (invalid.length > 0) return refusal('INVALID', invalid.map(idOf))
  const byId = new Map(operations.map((operation) => [operation.id, operation]))
  const changed = operations.filter(({ id, text }) => byId.get(id)?.text !== text)
  return changed.length > 0 ? refusal('TEXT_CHANGED', [...new Set(changed.map(idOf))]) : [...byId.values()]
}

async function find(table: OperationTable, { of, key }: ClientEntry, operations: readonly PublishedOperation[]): Promise<Found[]> {
  const found: Found[] = []
  for (let start = 0; start < operations.length; start += AT_ONCE) {
    const some = operations.slice(start, start + AT_ONCE)
    const stored = await table.load([
      ...some.map(({ id }) => operationKey(of.tenant, of.client, id)),
      ...some.map(({ textHash }) => textKey(of.tenant, of.client, textHash)),
    ])
    for (const [place, operation] of some.entries()) {
      const [item, text] = [stored[place], stored[place + some.length]]
      found.push({ operation, before: item && openOperation(key, of.tenant, item), ids: text?.ids ?? [] })
    }
  }
  return found
}

function refusalOf(found: readonly Found[]): RegistryRefusal | undefined {
  const changed = found.filter(
    ({ operation, before }) => before !== undefined && (before.text !== operation.text || before.textHash !== operation.textHash),
  )
  if (changed.length > 0)
    return refusal(
      'TEXT_CHANGED',
      changed.map(({ operation }) => operation.id),
    )
  const revoked = found.filter(({ before }) => before?.revoked !== undefined)
  return revoked.length > 0
    ? refusal(
        'REVOKED',
        revoked.map(({ operation }) => operation.id),
      )
    : undefined
}

function unitsOf(
  { of, key, content: { versions } }: ClientEntry,
  found: readonly Found[],
  { app, version }: AppVersion,
  approval: Approval,
  number: number,
): Unit[] {
  const idsOfTexts = new Map<string, readonly string[]>()
  return found.flatMap(({ operation, before, ids: storedIds }): Unit[] => {
    const { id, name, text, textHash } = operation
    // publications that count no longer are left out, so that the list stays short
    const valid = (before?.publications ?? []).filter((one) => publishedIn(versions, one) !== undefined)
    // an operation that is served stays so during this publication
    const isIn = valid.some(([ofApp, ofVersion]) => ofApp === app && ofVersion === version)
    const ids = idsOfTexts.get(textHash) ?? storedIds
    if (isIn && before?.name === name && isSameBasis(before.approval, approval) && ids.includes(id)) return []
    const publications = isIn ? valid : [...valid, [app, version, number] as const]
    const at = operationKey(of.tenant, of.client, id)
    const sealed = sealOperation(key, of.tenant, at, { id, name, text, textHash, publications, approval })
    const items: OperationItem[] = [{ key: at, sealed }]
    if (!ids.includes(id)) {
      const all = [...ids, id].slice(-MAX_IDS_OF_TEXT)
      idsOfTexts.set(textHash, all)
      items.push({ key: textKey(of.tenant, of.client, textHash), sealed: new Uint8Array(), ids: all })
    }
    return [{ items, bytes: sealed.length + ITEM_BYTES * items.length }]
  })
}

/** Divides the units so that each part fits in a transaction. At least one part. */
function batchesOf(units: readonly Unit[]): readonly (readonly Unit[])[] {
  const batches: Unit[][] = [[]]
  let [actions, bytes] = [OTHER_ACTIONS, 0]
  for (const unit of units) {
    const isFull = actions + unit.items.length > MAX_ACTIONS || bytes + unit.bytes > MAX_BYTES
    if (isFull && batches.at(-1)?.length !== 0) {
      batches.push([])
      ;[actions, bytes] = [OTHER_ACTIONS, 0]
    }
    batches.at(-1)?.push(unit)
    actions += unit.items.length
    bytes += unit.bytes
  }
  return batches
}

/** An operation that was proved under another policy or contract gets its new approval. */
const isSameBasis = (one: Approval, other: Approval): boolean => one.policy === other.policy && one.contract === other.contract

const idOf = ({ id }: PublishedOperation): string => id
