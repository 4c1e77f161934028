import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import type { AuditItem, Change, Random } from './alterations.ts'
import { KINDS, type Kind, type OverGrantKind } from './over-grant-kinds.ts'
import { couldBeAllowed, type PolicyText } from './policy-text.ts'

export interface Planted {
  /** `lane/sequence/index` of the record that the policy would not have allowed. */
  readonly address: string
  readonly kind: OverGrantKind
  /** For a swap: the address of the record that got the other outcome. */
  readonly other?: string
}

/**
 * Plants records that the policy would not have allowed, one in an item at most. The hashes of the items are not adapted: a log writer
 * must write the items anew. Equal seeds yield equal records.
 *
 * Kinds take turns, so that a campaign has each of them. Only kinds that role, purpose, relationship, limits, second factor, study and
 * view decide are planted: labels and consents are not part of the log.
 *
 * @param most the number of records to plant at most
 * @param from the number of the kind to begin with, so that several calls share the turns
 */
export function plant(
  items: readonly AuditItem[],
  seed: number,
  { policy, most, from = 0 }: { readonly policy: PolicyText; readonly most: number; readonly from?: number },
): { readonly items: readonly AuditItem[]; readonly planted: readonly Planted[] } {
  const random = randomOf(seed)
  const altered = new Map<number, AuditItem>()
  const planted: Planted[] = []
  let misses = 0
  for (let turn = from; planted.length < most && misses < KINDS.length; turn++) {
    const kind = KINDS[turn % KINDS.length]
    const found = kind && plantOne(items, altered, kind, policy, random)
    misses = found === undefined ? misses + 1 : 0
    if (found === undefined) continue
    altered.set(found.at, found.item)
    planted.push(found.planted)
  }
  return { items: items.map((item, at) => altered.get(at) ?? item), planted }
}

interface Found {
  readonly at: number
  readonly item: AuditItem
  readonly planted: Planted
}

function plantOne(
  items: readonly AuditItem[],
  altered: ReadonlyMap<number, AuditItem>,
  kind: Kind,
  policy: PolicyText,
  random: Random,
): Found | undefined {
  const places = items.flatMap((item, at) => (altered.has(at) ? [] : item.map((record) => ({ at, item, record }))))
  // a random order, and the first place that takes the kind
  for (let left = places.length; left > 0; left--) {
    const choice = random(left)
    const place = places[choice]
    const last = places[left - 1]
    if (place === undefined || last === undefined) continue
    places[choice] = last
    const { at, item, record } = place
    if (kind.changesCaller && item.length > 1) continue
    const changes = kind.change({ record, item, policy, random })
    const [main] = changes ?? []
    if (changes === undefined || main === undefined) continue
    const next = applied(item, changes)
    const changed = next.find(({ index }) => index === main.index)
    if (changed === undefined || couldBeAllowed(policy, changed) || !isGrouped(next)) continue
    const addresses = changes.map(({ index }) => `${record.lane}/${record.sequence}/${index}`)
    const [address = '', other] = addresses
    return { at, item: next, planted: { address, kind: kind.kind, ...(other !== undefined && { other }) } }
  }
  return undefined
}

/** The item with the changes. An undefined member is removed. */
function applied(item: AuditItem, changes: readonly Change[]): AuditItem {
  return item.map((record) => {
    const members = changes.find(({ index }) => index === record.index)?.members
    if (members === undefined) return record
    return Object.fromEntries(
      Object.entries({ ...record, ...members }).filter(([, value]) => value !== undefined),
    ) as unknown as AuditEntry
  })
}

/** Whether all records of a group follow each other. Otherwise the text of the item would have another order, and other addresses. */
function isGrouped(item: AuditItem): boolean {
  const groups = item.map(({ recordType, origin, basis, basisId, since, limits, listed, recordId, recordVersion }) =>
    JSON.stringify([recordType, origin, basis, basisId, since, limits, listed, recordId, recordVersion]),
  )
  const runs = groups.filter((group, at) => group !== groups[at - 1])
  return new Set(runs).size === runs.length
}

/** Mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}
