import { causeName, type GatewayEvent } from './events.ts'
import type { RequestId } from '../model/ids.ts'

const FRAMES = 8

/** What operators are told of a fault of the gateway itself: which error, and where from; never its message (P8). */
export function internalFault(requestId: RequestId, error: unknown): GatewayEvent {
  return { event: 'INTERNAL', requestId, cause: causeName(error), frames: framesOf(error) }
}

/** What operators are told of a fault that no request can be answered for. */
export function processFault(why: Extract<GatewayEvent, { event: 'PROCESS_FAULT' }>['why'], error: unknown): GatewayEvent {
  return { event: 'PROCESS_FAULT', why, cause: causeName(error), frames: framesOf(error) }
}

/**
 * Where an error came from: `name folder/file.ts:line:column`. The message stands before the frames, may hold anything, and may
 * look like a frame; whoever throws may set either. So only the lines after the last one that is no frame count, and of
 * those only what has the form of a function and a file of code.
 */
function framesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  try {
    const { stack, message } = error as { readonly stack: unknown; readonly message: unknown }
    if (typeof stack !== 'string' || typeof message !== 'string') return []
    const start = stack.indexOf(message)
    const end = start + message.length
    // a stack without its message was put together by somebody else: nothing says where the message ends
    if (start < 0 || (message === '' ? !/^\w+\n/.test(stack) : stack[end] !== '\n')) return []
    const lines = stack.slice(end).split('\n')
    const first = lines.findLastIndex((line) => !/^\s+at /.test(line)) + 1
    return lines.slice(first, first + FRAMES).flatMap((line) => frameOf(line) ?? [])
  } catch {
    // a message or a stack that is computed may fail
    return []
  }
}

/** `    at [async ][new ]name (file:///folder/file.ts:1:2)`, or the place without a name. */
const FRAME =
  /^\s+at (?:async )?(?:new )?(?:([A-Za-z_$#<][\w$#.<>]{0,79})(?: \[as [\w$#.]+\])? \()?(.{1,1000}):(\d{1,7}):(\d{1,7})\)?$/
/** The last folder and the file: where a deployment lies on its machine is nobody's business. */
const FILE = /(?:^|\/)((?:[\w@.-]{1,60}\/)?[\w@.-]{1,60}\.(?:[cm]?js|[cm]?ts))$/
const BUILT_IN = /^node:[a-z_]+(?:\/[a-z_]+){0,4}$/

function frameOf(line: string): string | undefined {
  const [, name, place = '', row, column] = FRAME.exec(line) ?? []
  const file = BUILT_IN.test(place) ? place : FILE.exec(place)?.[1]
  if (file === undefined || row === undefined || column === undefined) return undefined
  return `${name === undefined ? '' : `${name} `}${file}:${row}:${column}`
}
