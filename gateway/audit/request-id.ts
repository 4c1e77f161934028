import type { Instant, RequestId } from '../model/ids.ts'

/**
 * A request id is base64url of `process(6) | time in ms(6) | random(6)`: 24 characters.
 *
 * It names the process that wrote the audit records, and the time. The records are therefore found without an index, in the lanes of
 * the process and hour. Another index would take one write unit more for each item.
 */
const PART = 6

/**
 * 6 random bytes as 8 base64url characters, made once when a process starts. The first one is no hyphen: request ids and addresses of
 * records begin with it, and a command would read them as an option.
 */
export type ProcessId = string & { readonly processId: unique symbol }

export function newProcessId(random: (size: number) => Buffer): ProcessId {
  for (;;) {
    const id = random(PART).toString('base64url')
    if (!id.startsWith('-')) return id as ProcessId
  }
}

export function newRequestId(process: ProcessId, now: number, random: (size: number) => Buffer): RequestId {
  const time = Buffer.alloc(PART)
  time.writeUIntBE(now, 0, PART)
  return Buffer.concat([Buffer.from(process, 'base64url'), time, random(PART)]).toString('base64url') as RequestId
}

/** A request id with the process that made it, and the time. */
export interface RequestName {
  readonly id: RequestId
  readonly process: ProcessId
  readonly at: Instant
}

/** The process and the time of a request id, or undefined if the text is none. */
export function readRequestId(text: string): RequestName | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 3 * PART || bytes.toString('base64url') !== text) return undefined
  return {
    id: text as RequestId,
    process: bytes.toString('base64url', 0, PART) as ProcessId,
    at: bytes.readUIntBE(PART, PART) as Instant,
  }
}
