import { channel } from 'node:diagnostics_channel'

interface Message {
  readonly request?: { readonly url?: unknown; readonly path?: unknown }
}

/** Requests that servers of this process receive, that its clients send, and that `fetch` sends. */
const CHANNELS = ['http.server.request.start', 'http.client.request.start', 'undici:request:create']

/**
 * Reports path and query of every HTTP request that this process sends or answers.
 *
 * @returns a function that ends the reports
 */
export function listenToUrls(tell: (url: string) => void): () => void {
  const listener = (message: unknown): void => {
    const { url, path } = (message as Message).request ?? {}
    for (const part of [url, path]) if (typeof part === 'string') tell(part)
  }
  for (const name of CHANNELS) channel(name).subscribe(listener)
  return () => {
    for (const name of CHANNELS) channel(name).unsubscribe(listener)
  }
}
