import { causeName, type GatewayEvent } from './events.ts'
import type { RequestId } from '../model/ids.ts'

const FRAMES = 8

/** The event for a fault of the gateway itself: error name and stack frames, never the message (P8). */
export function internalFault(requestId: RequestId, error: unknown): GatewayEvent {
  return { event: 'INTERNAL', requestId, cause: causeName(error), frames: framesOf(error) }
}

/** The event for an error that the gateway's handling of requests did not catch. */
export function processFault(why: Extract<GatewayEvent, { event: 'PROCESS_FAULT' }>['why'], error: unknown): GatewayEvent {
  return { event: 'PROCESS_FAULT', why, cause: causeName(error), frames: framesOf(error) }
}

/**
 * The stack frames of an error as `name folder/file.ts:line:column`. In a stack, the message comes before the frames. The code
 * that throws can set both texts, and the message can contain lines that look like frames. Therefore only the lines after the
 * last line without the form of a frame count, and of these only the ones that name a code file.
 */
function framesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  try {
    const { stack, message } = error as { readonly stack: unknown; readonly message: unknown }
    if (typeof stack !== 'string' || typeof message !== 'string') return []
    const start = stack.indexOf(message)
    const end = start + message.length
    // a stack without the message is not the original one, so the end of the message is unknown
    if (start < 0 || (message === '' ? !/^\w+\n/.test(stack) : stack[end] !== '\n')) return []
    const lines = stack.slice(end).split('\n')
    const first = lines.findLastIndex((line) => !/^\s+at /.test(line)) + 1
    return lines.slice(first, first + FRAMES).flatMap((line) => frameOf(line) ?? [])
  } catch {
    // a getter can throw
    return []
  }
}

/** `    at [async ][new ]name (file:///folder/file.ts:1:2)`, or the location without a name. */
const FRAME =
  /^\s+at (?:async )?(?:new )?(?:([A-Za-z_$#<][\w$#.<>]{0,79})(?: \[as [\w$#.]+\])? \()?(.{1,1000}):(\d{1,7}):(\d{1,7})\)?$/
/** Only the last folder and the file name: the install path must not appear in the log. */
const FILE = /(?:^|\/)((?:[\w@.-]{1,60}\/)?[\w@.-]{1,60}\.(?:[cm]?js|[cm]?ts))$/
const BUILT_IN = /^node:[a-z_]+(?:\/[a-z_]+){0,4}$/

function frameOf(line: string): string | undefined {
  const [, name, place = '', row, column] = FRAME.exec(line) ?? []
  const file = BUILT_IN.test(place) ? place : FILE.exec(place)?.[1]
  if (file === undefined || row === undefined || column === undefined) return undefined
  return `${name === undefined ? '' : `${name} `}${file}:${row}:${column}`
}
