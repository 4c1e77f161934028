import type { Handler } from '../../infra/local/api-gateway.ts'

/** The function as it is deployed. It reads its environment when it loads. */
export async function open(): Promise<Handler> {
  const { handler } = await import('../../functions/graphql.ts')
  return handler
}
