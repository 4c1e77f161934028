import { createHash } from 'node:crypto'
import * as z from 'zod'
import { CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import type { AccessPosition } from './recorded-access.ts'

const Cursor = z.tuple([z.string(), z.int().nonnegative(), z.string().min(1).max(64), z.int().min(1), z.int().min(0)])

/**
 * The list that a cursor belongs to: a digest of tenant, root field and arguments. A cursor holds a place in the log and no more, so it
 * is not sealed: a forged one leads to a place in the log of the caller's own tenant.
 */
export function listDigest(tenant: string, root: string, list: object): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, root, list]))
    .digest('base64url')
    .slice(0, 16)
}

export function encodeCursor(list: string, { time, lane, sequence, index }: AccessPosition): string {
  return Buffer.from(JSON.stringify([list, time, lane, sequence, index])).toString('base64url')
}

/** @throws BadUserInput for a text that is no cursor, and for the cursor of another list */
export function decodeCursor(list: string, text: string): AccessPosition {
  const cursor = Cursor.safeParse(parsed(text))
  if (!cursor.success || cursor.data[0] !== list) throw new BadUserInput({ detail: CURSOR_DETAIL })
  const [, time, lane, sequence, index] = cursor.data
  return { time, lane, sequence, index }
}

function parsed(text: string): unknown {
  if (text.length > 512) return undefined
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
