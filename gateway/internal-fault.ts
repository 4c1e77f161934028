import { causeName, type GatewayEvent } from '../vocabulary/events.ts'
import type { RequestId } from '../vocabulary/ids.ts'

const FRAMES = 8

/** What operators are told of a fault of the gateway itself: which error, and where from; never its message (P8). */
export function internalFault(requestId: RequestId, error: unknown): GatewayEvent {
  return { event: 'INTERNAL', requestId, cause: causeName(error), frames: framesOf(error) }
}

/** Where an error came from. The message stands before the frames, may hold anything, and may look like a frame. */
function framesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const { stack = '', message } = error
  const start = stack.indexOf(message)
  // a stack without its message was put together by somebody else: nothing says where the message ends
  if (start < 0) return []
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, FRAMES)
    .map((line) => line.trim())
}
