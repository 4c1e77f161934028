import { readdirSync, readFileSync } from 'node:fs'
import { type DocumentNode, getOperationAST, parse } from 'graphql'
import { clientFile } from '../../../../infra/local/demo/demo-clients.ts'

export interface Manifest {
  readonly operations: { readonly id: string; readonly name: string; readonly type: 'query' | 'mutation'; readonly body: string }[]
}

export const manifestOf = (client: string) => JSON.parse(clientFile(client, 'manifest.json')) as Manifest

/** The operations of a demo client as its developers write them. */
export function documentsOf(client: string): Readonly<Record<string, DocumentNode>> {
  const folder = `infra/local/demo/clients/${client}/operations`
  const files = readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`, 'utf8'))
  const fragments = files.filter((text) => text.startsWith('fragment'))
  const operations = files.filter((text) => !text.startsWith('fragment'))
  return Object.fromEntries(
    operations.map((text) => {
      const used = fragments.filter((fragment) => text.includes(`...${/fragment (\w+)/.exec(fragment)?.[1] ?? ''}`))
      const document = parse([text, ...used].join('\n'))
      return [getOperationAST(document)?.name?.value ?? '', document]
    }),
  )
}
