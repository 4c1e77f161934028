import type { TenantId } from '../../model/ids.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import type { EventSink } from '../../telemetry/events.ts'
import { encodeBase64 } from '../verify/base64.ts'
import type { Checkpoint } from '../verify/checkpoint-text.ts'
import { cosignatureLine, cosignedAt } from '../verify/cosignature.ts'
import { inStore, tileName } from '../verify/layout.ts'
import type { LogPolicy } from '../verify/log-policy.ts'
import { parseNote } from '../verify/note.ts'
import { consistencyRanges } from '../verify/ranges.ts'
import { proofHashes } from '../verify/tile-proofs.ts'
import type { Hash } from '../verify/tree.ts'
import type { AskWitnesses } from './publisher.ts'

/** The round of a tenant waits this long for its witnesses, which answer at the same time. */
const ANSWER_MS = 5_000
const SIZE_TYPE = 'text/x.tlog.size'
/** More than the cosignatures of any witness take. */
const MAX_ANSWER = 65_536
const TIME_BYTES = 8

type Failure = 'CONFLICT' | 'REFUSED' | 'UNAVAILABLE'
type Answer = { readonly lines: readonly string[] } | { readonly failure: Failure }

interface Question {
  readonly objects: ObjectStore
  readonly tenant: string
  readonly url: string
  readonly keys: readonly LogPolicy['witnesses'][number]['key'][]
  readonly checkpoint: Checkpoint
  readonly note: string
}

/**
 * Asks the witnesses of a policy that have a URL, each for its cosignatures, with a proof that the log only grew.
 *
 * @source C2SP tlog-witness, "add-checkpoint"; tlog-policy
 */
export function askingWitnesses({
  policy,
  objects,
  events,
  answerMs = ANSWER_MS,
}: {
  readonly policy: LogPolicy
  readonly objects: ObjectStore
  readonly events: EventSink
  readonly answerMs?: number
}): AskWitnesses {
  const byUrl = Map.groupBy(
    policy.witnesses.filter(({ url }) => url !== undefined),
    ({ url }) => url ?? '',
  )
  return async (tenant, before, checkpoint, note) => {
    const answers = await Promise.all(
      [...byUrl].map(async ([url, witnesses]) => {
        const question = { objects, tenant, url, keys: witnesses.map(({ key }) => key), checkpoint, note }
        return await askFrom(question, before, AbortSignal.timeout(answerMs)).catch((): Answer => ({ failure: 'UNAVAILABLE' }))
      }),
    )
    for (const answer of answers)
      if ('failure' in answer) events({ event: 'WITNESS_FAILED', tenant: tenant as TenantId, what: answer.failure })
    return answers.flatMap((answer) => ('lines' in answer ? answer.lines : []))
  }
}

/** Asks with the size before this one, and once more with the size that the witness names. */
async function askFrom(question: Question, before: number, signal: AbortSignal): Promise<Answer> {
  const first = await ask(question, before, signal)
  if (typeof first !== 'number') return first
  const { size } = question.checkpoint
  // it cosigned this very size with another root
  if (first === before) return { failure: 'CONFLICT' }
  // it cosigned a later checkpoint, which another notary published meanwhile
  if (first > size) return { failure: 'UNAVAILABLE' }
  const second = await ask(question, first, signal)
  if (typeof second !== 'number') return second
  return { failure: second === size ? 'CONFLICT' : 'UNAVAILABLE' }
}

/** @returns the size that the witness has, if it is not `old` or its root at this size differs */
async function ask({ objects, tenant, url, keys, checkpoint, note }: Question, old: number, signal: AbortSignal) {
  const proof = await consistencyProof(objects, tenant, checkpoint.size, old)
  const response = await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, {
    method: 'POST',
    body: `old ${old}\n${proof.map((hash) => `${encodeBase64(hash)}\n`).join('')}\n${note}`,
    redirect: 'error',
    signal,
  })
  const text = await response.text()
  switch (response.status) {
    case 200:
      return await cosignatures(keys, checkpoint, note, text)
    case 409: {
      const size = /^(0|[1-9]\d{0,15})\n$/.exec(text)?.[1]
      const isSize = response.headers.get('content-type') === SIZE_TYPE && size !== undefined
      return isSize ? Number(size) : { failure: old === checkpoint.size ? ('CONFLICT' as const) : ('UNAVAILABLE' as const) }
    }
    case 422:
      return { failure: 'CONFLICT' as const }
    case 403:
    case 404:
      return { failure: 'REFUSED' as const }
    default:
      return { failure: 'UNAVAILABLE' as const }
  }
}

/** The lines of known keys that verify. Other lines are ignored, as the protocol requires. */
async function cosignatures(keys: Question['keys'], checkpoint: Checkpoint, note: string, text: string): Promise<Answer> {
  const signatures = text.length > MAX_ANSWER ? [] : (parseNote(note + text)?.signatures ?? [])
  const lines: string[] = []
  for (const key of keys) {
    const signature = signatures.find(({ name, keyId }) => name === key.name && keyId === key.keyId)?.signature
    const time = signature && (await cosignedAt(key, signature, checkpoint))
    if (signature === undefined || time === undefined) return { failure: 'UNAVAILABLE' }
    lines.push(cosignatureLine(key, time, signature.slice(TIME_BYTES)))
  }
  return { lines }
}

/** The proof that a published tree begins with the tree of `earlier` leaves. Empty for 0 and for the same size. */
async function consistencyProof(objects: ObjectStore, tenant: string, size: number, earlier: number): Promise<Hash[]> {
  const ranges = earlier === 0 ? [] : consistencyRanges({ start: 0, end: earlier }, size)
  return await proofHashes(ranges, size, async (tile) => (await objects.get(inStore(tenant, tileName(tile))))?.bytes)
}
