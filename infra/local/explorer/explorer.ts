import type { GraphQLSchema } from 'graphql'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { grantLines } from '../../../directives/grant-lines.ts'
import type { PolicyTable } from '../../../directives/policy.ts'
import { isLocal } from '../../../gateway/model/stage.ts'
import type { Handler } from '../api-gateway.ts'
import type { TokenSource } from '../token.ts'
import { type Assets, loadAssets } from './asset-folder.ts'
import type { ExplorerConfig, ExplorerUser } from './explorer-config.ts'
import { assetResponse, htmlResponse, jsonResponse } from './responses.ts'
import { tokenEndpoint } from './token-endpoint.ts'

export interface ExplorerOptions {
  /** The value of `PHI_STAGE`. */
  readonly stage: string | undefined
  readonly users: readonly ExplorerUser[]
  /** The schema from its SDL, with its policy. */
  readonly compiled: { readonly schema: GraphQLSchema; readonly policy: Pick<PolicyTable, 'records'> }
  readonly tokens: Pick<TokenSource, 'tokenEndpoint'>
  /** The prebuilt files of the page. Without them, the first request of a browser bundles the page. */
  readonly prebuilt?: URL
}

/** The explorer gives tokens to anyone on the machine, so it exists on the machine of a developer only. */
export class ExplorerRefused extends Error {
  override readonly name = 'ExplorerRefused'
  constructor() {
    super('The explorer runs only where PHI_STAGE is local.')
  }
}

type ExplorerRoute = 'GET /graphql' | 'GET /explorer/config.json' | 'GET /explorer/{file}' | 'POST /explorer/token'

/** In this time, most machines bundle the page. An HTTP API gives up on a function after ten seconds. */
const BUNDLE_PATIENCE_MS = 6_000

const PREPARING = `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>phi-gateway explorer</title><p>The explorer is being bundled. This page reloads by itself.</p></html>`
const FAILED = `<!doctype html><html lang="en"><meta charset="utf-8"><title>phi-gateway explorer</title>
<p>The explorer could not be bundled. Run <code>npm ci</code>, then reload. The output of the stack has the cause.</p></html>`

/**
 * The routes of the explorer. A browser that opens `/graphql` gets the page; every other request goes to the gateway unchanged.
 *
 * @throws ExplorerRefused on any stage except `local`
 */
export function explorerRoutes(gateway: Handler, options: ExplorerOptions): Record<ExplorerRoute, Handler> {
  const { stage, users, compiled, tokens, prebuilt = new URL('./explorer/', import.meta.url) } = options
  if (!isLocal(stage)) throw new ExplorerRefused()
  const load = once(() => loadAssets(prebuilt))
  const config = once(() => Promise.resolve(configOf(users, compiled)))
  return {
    'GET /graphql': async (event, context) => (asksForPage(event) ? await pageOf(load()) : await gateway(event, context)),
    'GET /explorer/config.json': async () => jsonResponse(200, await config()),
    'GET /explorer/{file}': async ({ rawPath }) => {
      const asset = (await load()).files.get(rawPath.slice('/explorer/'.length))
      return asset === undefined ? jsonResponse(404, { message: 'Not Found' }) : assetResponse(asset.type, asset.compressed)
    },
    'POST /explorer/token': tokenEndpoint(users, tokens),
  }
}

/** Whether a browser navigates to the endpoint. A request for an operation is never one, whatever it accepts. */
export function asksForPage({
  headers,
  queryStringParameters: query = {},
}: Pick<APIGatewayProxyEventV2, 'headers' | 'queryStringParameters'>): boolean {
  return (
    /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(headers['accept'] ?? '') &&
    !['documentId', 'query', 'extensions'].some((name) => Object.hasOwn(query, name))
  )
}

async function pageOf(loading: Promise<Assets>) {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), BUNDLE_PATIENCE_MS)
  })
  try {
    const assets = await Promise.race([loading, late])
    return assets === undefined ? htmlResponse(503, PREPARING) : htmlResponse(200, assets.page)
  } catch (error) {
    console.error('The explorer could not be bundled.', error)
    return htmlResponse(500, FAILED)
  } finally {
    clearTimeout(timer)
  }
}

/** Keeps the first result. After a failure, the next call tries again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined
  return () => {
    kept ??= work().catch((error: unknown) => {
      kept = undefined
      throw error
    })
    return kept
  }
}

function configOf(users: readonly ExplorerUser[], { schema, policy }: ExplorerOptions['compiled']): ExplorerConfig {
  const patientType = [...policy.records.values()].find(({ patient }) => patient === 'id')?.type
  const rules = [...grantLines(schema).values()].map(({ rule, source, line, sdl }) => [rule, { at: `${source.name}:${line}`, sdl }])
  return {
    users,
    ...(patientType !== undefined && { patientType }),
    rules: Object.fromEntries(rules) as ExplorerConfig['rules'],
  }
}
