import { cancel, CUT, DROP_ANSWER, type Fault, PASS, refuse, type ServiceCall } from '../../hostile/faults.ts'
import { startProxy } from '../../hostile/proxy.ts'
import type { RunningClinic } from '../../harness/running-clinic.ts'

/** What can happen to a call of the tables. */
export interface CallFault {
  readonly name: string
  readonly fault: Fault
  /** The fault concerns writes only: a read whose answer is lost equals one that is cut off, and reads meet no other transaction. */
  readonly writes?: true
}

/** For `it.each`. */
export const CALL_FAULTS: readonly (readonly [name: string, fault: CallFault])[] = [
  { name: 'is refused', fault: refuse('InternalServerError', 500) },
  { name: 'is cut off', fault: CUT },
  { name: 'is executed, and its answer is lost', fault: DROP_ANSWER, writes: true as const },
  { name: 'meets another transaction', fault: cancel('TransactionConflict'), writes: true as const },
].map((fault) => [fault.name, fault])

const WRITES: ReadonlySet<string> = new Set(['TransactWriteItems', 'PutItem', 'UpdateItem', 'DeleteItem'])

/** A process of the gateway that reaches its tables through a proxy. */
export interface FaultyProcess extends Pick<RunningClinic, 'ask'> {
  /** Plays a fault at each call, from now until the next script. */
  play(script: (call: ServiceCall) => Fault): void
  /**
   * Repeats an experiment, once with the fault at each call of its work, and once without a fault.
   *
   * @param experiment calls `work` once, and then compares what is stored
   */
  atEachCall(fault: CallFault, experiment: (work: <T>(act: () => Promise<T>) => Promise<T>) => Promise<void>): Promise<void>
  readonly endpoint: string
  stop(): Promise<void>
}

/** Opens a process behind a proxy, with its connections and keys. */
export async function faultyProcess(clinic: RunningClinic, env: Record<string, string> = {}): Promise<FaultyProcess> {
  const proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // a client reads the variable at its first request, and the client of writes sends its first one in an experiment.
  // The end of the clinic restores it.
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  const behind = await clinic.another({ env })
  await behind.ask('physician', '{ patients(first: 1) { edges { node { id } } } }')

  const playedAt = (place: number, { fault, writes }: CallFault): readonly ServiceCall[] => {
    const calls: ServiceCall[] = []
    proxy.play((call) => {
      if (writes === true && !WRITES.has(call.operation)) return PASS
      // a retry of the SDK is the same call, and meets the same fault
      const known = calls.findIndex(({ invocation }) => invocation === call.invocation)
      if (known < 0) calls.push(call)
      return (known < 0 ? calls.length - 1 : known) === place ? fault : PASS
    })
    return calls
  }
  return {
    endpoint: proxy.endpoint,
    ask: async (...asked) => await behind.ask(...asked),
    play: (script) => proxy.play(script),
    stop: async () => await proxy.stop(),
    async atEachCall(fault, experiment) {
      for (let place = 0; ; place++) {
        let calls: readonly ServiceCall[] = []
        await experiment(async (act) => {
          calls = playedAt(place, fault)
          return await act().finally(() => proxy.play(() => PASS))
        })
        if (calls.length <= place) {
          if (place === 0) throw new Error('the work makes no call that the fault concerns')
          break
        }
      }
    },
  }
}
