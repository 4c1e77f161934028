import type { Fault, Script, ServiceCall } from './faults.ts'
import type { Random } from './seeded.ts'

/** The probability of each fault for a call that it can affect, in [0, 1]. */
export type Rates<Name extends string> = Readonly<Record<Name, number>>

/** Seeded faults before a service. */
export interface Weather<Name extends string> {
  /** Pass it to a proxy, or call it from a script for every call that the script does not handle. */
  readonly script: Script
  /** The number of injections of each fault. */
  readonly counts: Readonly<Record<Name, number>>
  /** Sets the rates from the next call on. Faults without a rate are off. */
  blow(rates: Partial<Rates<Name>>): void
  calm(): void
}

/** A fault that replaces the outcome of a call. Each call meets at most one. */
export interface Mishap<Name extends string> {
  readonly name: Name
  readonly befalls: (call: ServiceCall) => boolean
  /** Returns the fault for the call. @param aside a number in [0, 1) for this call */
  readonly fault: (call: ServiceCall, aside: number) => Fault
}

/**
 * Selects the fault of a call: the rates of all faults that can affect it form consecutive intervals, and one random number selects
 * an interval.
 */
export function mishapOf<Name extends string>(
  mishaps: readonly Mishap<Name>[],
  rates: Partial<Rates<Name>>,
  call: ServiceCall,
  random: Random,
): Mishap<Name> | undefined {
  let left = random()
  for (const mishap of mishaps) {
    if (!mishap.befalls(call)) continue
    left -= rates[mishap.name] ?? 0
    if (left < 0) return mishap
  }
  return undefined
}

type Spare<Name extends string> = (call: ServiceCall, mishap: Mishap<Name> | undefined) => Mishap<Name> | undefined

/** Injects every fault. */
export const everyTime = <Name extends string>(_: ServiceCall, mishap: Mishap<Name> | undefined): Mishap<Name> | undefined => mishap

/** Injects at most one fault for each SDK invocation, so that a retry of the SDK succeeds. */
export function secondTimeUnharmed<Name extends string>(): Spare<Name> {
  const struck = new Set<string>()
  return ({ invocation }, mishap) => {
    if (struck.delete(invocation)) return undefined
    if (mishap) struck.add(invocation)
    return mishap
  }
}

/** Counts from zero, by name. */
export const zeroes = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
