import type { Fault, Script, ServiceCall } from './faults.ts'
import type { Random } from './seeded.ts'

/** How often each fault befalls a call that it can befall, of [0, 1]. */
export type Rates<Name extends string> = Readonly<Record<Name, number>>

/** Seeded faults before a service. */
export interface Weather<Name extends string> {
  /** Give it to a proxy, or ask it in a script for every call that the script has no mind of its own about. */
  readonly script: Script
  /** How often each fault was injected. */
  readonly counts: Readonly<Record<Name, number>>
  /** From the next call on: these rates, and none of what is not named. */
  blow(rates: Partial<Rates<Name>>): void
  calm(): void
}

/** A fault that befalls a call instead of its way to the service: at most one of them each time. */
export interface Mishap<Name extends string> {
  readonly name: Name
  readonly befalls: (call: ServiceCall) => boolean
  /** What becomes of the call. @param aside a number of [0, 1) of this call's own */
  readonly fault: (call: ServiceCall, aside: number) => Fault
}

/** The mishap of a call: the rates of those that can befall it are laid one after the other, and one number falls among them. */
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

/** Spares nobody. */
export const everyTime = <Name extends string>(_: ServiceCall, mishap: Mishap<Name> | undefined): Mishap<Name> | undefined => mishap

/** Strikes what a caller of the SDK asks for at most once: when the SDK sends it again by itself, it comes through. */
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
