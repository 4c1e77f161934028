import 'graphiql/style.css'
import './page.css'
import './workers.ts'
import { createRoot } from 'react-dom/client'
import type { ExplorerConfig } from '../explorer-config.ts'
import { Explorer } from './explorer.tsx'

const place = document.getElementById('explorer')
if (place === null) throw new Error('The page has no element for the explorer.')
const root = createRoot(place)

try {
  const response = await fetch('/explorer/config.json')
  // the server of the page wrote it, from the same version of the project
  root.render(<Explorer config={(await response.json()) as ExplorerConfig} />)
} catch {
  root.render(<p className="fault">The stack does not answer. Start it, then reload this page.</p>)
}
