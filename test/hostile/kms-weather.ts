import { DROP_ANSWER, type Fault, type Script, type ServiceCall } from './faults.ts'
import { seeded } from './seeded.ts'
import { type Mishap, everyTime, mishapOf, type Rates, secondTimeUnharmed, type Weather, zeroes } from './weather.ts'

/** Faults before KMS. */
export type KmsFaultName = 'SLOW' | 'THROTTLED' | 'DENIED' | 'DISABLED' | 'PENDING_DELETION' | 'ANSWER_DROPPED'

/** Every fault, at a rate at which the second or third attempt gets a key. */
export const STORMY_KMS: Rates<KmsFaultName> = {
  SLOW: 0.3,
  THROTTLED: 0.14,
  DENIED: 0.1,
  DISABLED: 0.1,
  PENDING_DELETION: 0.1,
  ANSWER_DROPPED: 0.14,
}

const always = (): boolean => true
const usesKey = ({ operation }: ServiceCall): boolean => operation !== 'DescribeKey'
const refused = (error: string) => (): Fault => ({ kind: 'REFUSE', error })

// the names of the errors are those of the service
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors
const MISHAPS: readonly Mishap<KmsFaultName>[] = [
  { name: 'THROTTLED', befalls: always, fault: refused('ThrottlingException') },
  { name: 'DENIED', befalls: always, fault: refused('AccessDeniedException') },
  { name: 'DISABLED', befalls: usesKey, fault: refused('DisabledException') },
  { name: 'PENDING_DELETION', befalls: usesKey, fault: refused('KMSInvalidStateException') },
  { name: 'ANSWER_DROPPED', befalls: always, fault: () => DROP_ANSWER },
]

/** Faults of KMS. For a given seed, the n-th call always meets the same fault. */
export function kmsWeather({
  seed,
  longestDelay = 200,
  mercy = false,
}: {
  readonly seed: number
  /** Maximum milliseconds of a slow call. */
  readonly longestDelay?: number
  /** Whether a retry of a failed call succeeds. */
  readonly mercy?: boolean
}): Weather<KmsFaultName> {
  const counts = zeroes(Object.keys(STORMY_KMS) as KmsFaultName[])
  const random = seeded(seed, 'KMS')
  const merciful = mercy ? secondTimeUnharmed<KmsFaultName>() : everyTime<KmsFaultName>
  let rates: Partial<Rates<KmsFaultName>> = {}
  const script: Script = (call) => {
    const mishap = merciful(call, mishapOf(MISHAPS, rates, call, random))
    const [aside, slow, how] = [random(), random(), random()]
    const fault: Fault = mishap?.fault(call, aside) ?? { kind: 'PASS' }
    if (mishap) counts[mishap.name]++
    if (slow >= (rates.SLOW ?? 0)) return fault
    counts.SLOW++
    return { kind: 'DELAY', milliseconds: how * longestDelay, then: fault }
  }
  return {
    script,
    counts,
    blow: (next) => {
      rates = next
    },
    calm: () => {
      rates = {}
    },
  }
}
