import { describe, expect, it } from 'vitest'
import { internalFault } from '../../../gateway/telemetry/internal-fault.ts'
import type { RequestId } from '../../../gateway/model/ids.ts'
import { causeName } from '../../../gateway/telemetry/events.ts'

const SECRET = '999-62-6858'
const told = (error: unknown): string => JSON.stringify(internalFault('r' as RequestId, error))
const framesOf = (error: unknown): readonly string[] => {
  const event = internalFault('r' as RequestId, error)
  return event.event === 'INTERNAL' ? event.frames : []
}
const withStack = (message: string, stack: string): Error => Object.assign(new Error(message), { stack })

describe('P8: a fault is reported by the name of its class and its place in the code', () => {
  it('with function, file, line and column, and without the folders of the machine', () => {
    const [first] = framesOf(new RangeError(SECRET))
    expect(first).toMatch(/^telemetry\/internal-fault\.test\.ts:\d+:\d+$/)
    expect(told(new RangeError(SECRET))).not.toContain(process.cwd())
    expect(
      framesOf(
        withStack('m', 'Error: m\n    at async Lane.submit (file:///srv/secret/audit/lane.ts:97:10)\n    at node:internal/x:1:2'),
      ),
    ).toEqual(['Lane.submit audit/lane.ts:97:10', 'node:internal/x:1:2'])
  })

  it.each([
    ['a message that looks like frames', new Error(`x\n    at ${SECRET} (a.ts:1:1)\n    at f (${SECRET}.ts:1:1)`)],
    ['a message that was changed afterwards', Object.assign(new Error(`x\n    at ${SECRET} (a.ts:1:1)`), { message: 'x' })],
    [
      'a message that was emptied afterwards',
      Object.assign(new Error(`x\n    at f${SECRET.replaceAll('-', '')} (a.ts:1:1)`), { message: '' }),
    ],
    ['a stack of somebody else', withStack('m', `${SECRET}\n    at f (${SECRET}:1:1)`)],
    [
      'frames that are none',
      withStack('m', `Error: m\n    at ${SECRET} (/x/a.ts:1:1)\n    at f (${SECRET}:1:1)\n    at new ${SECRET}\n`),
    ],
    ['text after the frames', withStack('m', `Error: m\n    at f (/x/a.ts:1:1)\n${SECRET}`)],
    ['a name of its own', Object.assign(new Error(), { name: SECRET })],
    ['a long name', Object.assign(new Error(), { name: `x${'y'.repeat(200)}${SECRET}` })],
    ['a text', SECRET],
    ['an object', { name: SECRET, message: SECRET, stack: SECRET }],
  ])('%s', (_what, error) => {
    expect(told(error)).not.toContain(SECRET)
    expect(told(error)).not.toContain('999626858')
  })

  it('never throws, for any thrown value', () => {
    const fail = (): never => {
      throw new TypeError(SECRET)
    }
    const hostile = Object.defineProperties(new Error('x'), { name: { get: fail }, message: { get: fail }, stack: { get: fail } })
    expect(internalFault('r' as RequestId, hostile)).toMatchObject({ cause: 'Error', frames: [] })
    expect(internalFault('r' as RequestId, withStack('m', 7 as unknown as string))).toMatchObject({ cause: 'Error', frames: [] })
    expect(causeName(Object.assign(new Error(), { name: 7 }))).toBe('Error')
    expect(causeName(null)).toBe('object')
  })
})
