import { describe, expect, it } from 'vitest'
import {
  begun,
  byApplication,
  entryOf,
  isServed,
  NO_VERSIONS,
  published,
  type VersionStates,
  withState,
} from '../../../../gateway/operations/persisted/version-states.ts'

const version = (number: number) => ({ app: 'portal', version: `v${number}` })
const present = (states: VersionStates | undefined): VersionStates => {
  if (states === undefined) throw new Error('no states')
  return states
}
/** Versions 1 to 200, each added by the publication with its number. */
const full = (): VersionStates => {
  let states = NO_VERSIONS
  for (let number = 1; number <= 200; number++) states = present(published(states, version(number), number, 'ACTIVE'))
  return states
}

describe('P10: the versions of a client', () => {
  it('P10: are at most 200, and only a retired one is dropped, the oldest first', () => {
    expect(published(full(), version(201), 201, 'ACTIVE')).toBeUndefined()
    const retired = [9, 7, 8].reduce((states, number) => present(withState(states, version(number), 'RETIRED')), full())
    const after = present(published(retired, version(201), 201, 'ACTIVE'))
    expect(after.entries).toHaveLength(200)
    expect([7, 8, 9, 201].map((number) => entryOf(after, version(number))?.state)).toEqual([
      undefined,
      'RETIRED',
      'RETIRED',
      'ACTIVE',
    ])
    expect(withState(after, version(7), 'ACTIVE')).toBeUndefined()
  })

  it('P10: that were dropped do not return with their operations under the same name', () => {
    const retired = [7, 8].reduce((states, number) => present(withState(states, version(number), 'RETIRED')), full())
    const dropped = present(published(retired, version(201), 201, 'ACTIVE'))
    const again = present(published(dropped, version(7), 202, 'ACTIVE'))
    expect(isServed(again, [['portal', 'v7', 7]])).toBe(false)
    expect(isServed(again, [['portal', 'v7', 202]])).toBe(true)
  })

  it('P10: serve no operation of a publication that did not end, also after later ones', () => {
    const first = present(published(NO_VERSIONS, version(1), 1, 'ACTIVE'))
    const during = present(begun(first, 2))
    const later = present(published(during, version(1), 5, 'ACTIVE'))
    for (const states of [during, later]) expect(isServed(states, [['portal', 'v1', 2]])).toBe(false)
    expect(isServed(later, [['portal', 'v1', 1]])).toBe(true)
    expect(isServed(present(published(during, version(1), 2, 'ACTIVE')), [['portal', 'v1', 2]])).toBe(true)
  })

  it('P10: remember at most 1,000 publications that did not end', () => {
    let states = NO_VERSIONS
    for (let number = 1; number <= 1_000; number++) states = present(begun(states, number))
    expect(begun(states, 1_001)).toBeUndefined()
  })

  it('P10: have names that are only names', () => {
    const named = present(published(NO_VERSIONS, { app: 'constructor', version: 'toString' }, 1, 'PENDING'))
    expect(JSON.stringify(byApplication(named))).toBe('{"constructor":{"toString":"PENDING"}}')
    expect('valueOf' in byApplication(named)).toBe(false)
  })
})
