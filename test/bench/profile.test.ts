import { expect, it } from 'vitest'
import { selfTimes } from '../../bench/profile.ts'

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url, scriptId: '', lineNumber: 4, columnNumber: 0 },
  children,
})

it('adds the self time of engine functions to the category of their caller, and omits idle time', () => {
  const { categories, functions } = selfTimes({
    startTime: 0,
    endTime: 0,
    nodes: [
      node(1, '(root)', '', [2, 4, 5]),
      node(2, 'linkEntry', 'file:///project/gateway/audit/entry.ts', [3]),
      node(3, 'stringify', ''),
      node(4, '(idle)', ''),
      node(5, '(garbage collector)', ''),
    ],
    samples: [2, 3, 4, 5, 3],
    timeDeltas: [1_000, 2_000, 50_000, 500, 1_000],
  })
  expect(categories).toEqual([
    { name: 'audit entries', self: 4 },
    { name: 'garbage collection', self: 0.5 },
  ])
  expect(functions[0]).toEqual({ name: 'stringify :5', self: 3 })
})
