import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  type TransactWriteItem,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The subject of an item. */
export type SessionSubject = 'SESSION' | 'USER' | 'CLIENT'

/** The stored state of a session, its user and its client. Times are milliseconds since the epoch. */
export interface SessionState {
  /** When the session was last seen, to the minute; undefined for a new session. */
  readonly seen: number | undefined
  readonly isEnded: boolean
  /** A sign-in before this time is revoked. */
  readonly notBefore: number | undefined
}

export interface SessionKeys {
  readonly session: Key | undefined
  readonly user: Key
  readonly client: Key | undefined
}

/** Longer than the maximum age of a session: an expired item belongs to a session that has ended by its age. */
const FORGET_AFTER_MS = 8 * 24 * 60 * 60_000

/** The key of a subject. A name can be any text, even an e-mail address, so that the table contains only its digest. */
export function sessionKey(tenant: TenantId, subject: SessionSubject, ...name: readonly string[]): Key {
  const digest = createHash('sha256')
    .update(JSON.stringify([tenant, subject, ...name]))
    .digest('base64url')
  return { pk: `${tenant}#${digest}`, sk: subject }
}

/** Sessions and revocations. Items expire by TTL. */
export class SessionTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** @throws StoreUnavailable */
  async read({ session, user, client }: SessionKeys, signal: AbortSignal): Promise<SessionState> {
    const keys = [session, user, client].filter((key) => key !== undefined)
    let state: SessionState = { seen: undefined, isEnded: false, notBefore: undefined }
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys, { signal })) {
      const [seen, notBefore] = [item['seen']?.N, item['notBefore']?.N]
      if (item['sk']?.S === 'SESSION')
        state = { ...state, seen: seen === undefined ? undefined : Number(seen), isEnded: item['ended'] !== undefined }
      else if (notBefore !== undefined) state = { ...state, notBefore: Math.max(state.notBefore ?? 0, Number(notBefore)) }
    }
    return state
  }

  /**
   * Writes that a session was seen. Writes nothing if it was already seen at `since` or later, or if it has ended.
   *
   * @throws StoreUnavailable
   */
  async touch(session: Key, now: number, since: number, signal: AbortSignal): Promise<void> {
    this.counter.requests++
    const { Update } = this.#update(session, 'seen', now)
    const command = new UpdateItemCommand({
      ...Update,
      ConditionExpression: 'attribute_not_exists(ended) AND (attribute_not_exists(seen) OR seen < :since)',
      ExpressionAttributeValues: { ...Update.ExpressionAttributeValues, ':since': { N: String(since) } },
    })
    const sent = this.#client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      if (!(error instanceof ConditionalCheckFailedException)) throw error
    })
    await unavailableOnFailure(sent)
  }

  /** Returns the write that ends a session. */
  end(session: Key, now: number): TransactWriteItem {
    return this.#update(session, 'ended', now)
  }

  /** Returns the write of a revocation: all sign-ins of this subject until now end. */
  revoke(subject: Key, now: number): TransactWriteItem {
    return this.#update(subject, 'notBefore', now)
  }

  #update(key: Key, attribute: 'seen' | 'ended' | 'notBefore', now: number) {
    return {
      Update: {
        TableName: this.#table,
        Key: { pk: { S: key.pk }, sk: { S: key.sk } },
        UpdateExpression: 'SET #attribute = :now, expires = :expires',
        ExpressionAttributeNames: { '#attribute': attribute },
        ExpressionAttributeValues: {
          ':now': { N: String(now) },
          ':expires': { N: String(Math.ceil((now + FORGET_AFTER_MS) / 1000)) },
        },
      },
    }
  }
}
