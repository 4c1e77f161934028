import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'

/** A request that was sent, and the round of requests that it belongs to. */
export interface RoundedRequest {
  /** From 1. A request belongs to the round after the last answer that had arrived before it was sent. */
  readonly round: number
  /** `QueryCommand` */
  readonly command: string
}

/** A client that counts the sequential rounds of its requests. */
export class CountedRounds implements Pick<DynamoDBClient, 'send'> {
  readonly #requests: RoundedRequest[] = []
  readonly send: DynamoDBClient['send']
  #answered = 0

  constructor(client: Pick<DynamoDBClient, 'send'>) {
    // safe: the arguments are passed on as they are
    const send = client.send.bind(client) as (...args: readonly unknown[]) => Promise<unknown>
    const counted = async (...args: readonly unknown[]): Promise<unknown> => {
      const round = this.#answered + 1
      this.#requests.push({ round, command: (args[0] as object).constructor.name })
      try {
        return await send(...args)
      } finally {
        this.#answered = Math.max(this.#answered, round)
      }
    }
    this.send = counted as DynamoDBClient['send']
  }

  /** Counts from anew. Returns the result of the work, the number of rounds and all requests. */
  async of<T>(work: () => Promise<T>): Promise<{ result: T; rounds: number; requests: readonly RoundedRequest[] }> {
    this.#requests.length = 0
    this.#answered = 0
    const result = await work()
    return { result, rounds: this.#answered, requests: [...this.#requests] }
  }
}
