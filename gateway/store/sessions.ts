import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  type TransactWriteItem,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** What an item of the table speaks of. */
export type SessionSubject = 'SESSION' | 'USER' | 'CLIENT'

/** What the table says of a session, of its user and of the client that it goes through. Milliseconds since the epoch. */
export interface SessionState {
  /** When the session was last seen, to the minute; undefined for one that is new. */
  readonly seen: number | undefined
  readonly isEnded: boolean
  /** Who signed in before this is signed in no more. */
  readonly notBefore: number | undefined
}

export interface SessionKeys {
  readonly session: Key | undefined
  readonly user: Key
  readonly client: Key | undefined
}

/** Longer than any session may last: what is forgotten then is over by its own age. */
const FORGET_AFTER_MS = 8 * 24 * 60 * 60_000

/** The key of a subject. Its name may hold anything, a person's e-mail address too: the table holds a digest of it. */
export function sessionKey(tenant: TenantId, subject: SessionSubject, ...name: readonly string[]): Key {
  const digest = createHash('sha256')
    .update(JSON.stringify([tenant, subject, ...name]))
    .digest('base64url')
  return { pk: `${tenant}#${digest}`, sk: subject }
}

/** Sessions and revocations. Items expire by themselves. */
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
   * Writes that a session was seen, unless somebody wrote it at `since` or later, or the session was ended.
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

  /** The writing of the end of a session. */
  end(session: Key, now: number): TransactWriteItem {
    return this.#update(session, 'ended', now)
  }

  /** The writing of a revocation: whoever of this subject signed in until now is signed in no more. */
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
