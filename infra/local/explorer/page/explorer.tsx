import { useGraphiQL } from '@graphiql/react'
import { GraphiQL, type GraphiQLProps } from 'graphiql'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import type { ExplorerConfig, ExplorerUser } from '../explorer-config.ts'
import { memoryStorage } from './memory-storage.ts'
import { Menu } from './menu.tsx'
import { PlanPane, type Run } from './plan-pane.tsx'
import { Session } from './session.ts'

const INTROSPECTION = 'IntrospectionQuery'

/** GraphiQL with the menus above it, and the access plan of the last run beside it. */
export function Explorer({ config }: { readonly config: ExplorerConfig }) {
  const [session, setSession] = useState(() => firstSession(config))
  const [run, setRun] = useState<Run>()
  const [menuPlace, setMenuPlace] = useState<HTMLElement | null>(null)
  const current = useRef(session)
  const storage = useMemo(memoryStorage, [])
  // a new function makes GraphiQL read the schema again, with the token of the chosen user
  const fetcher = useMemo(() => fetcherOf(session, () => current.current === session, setRun), [session])
  const choose = useCallback((user: ExplorerUser, purpose: string | undefined) => {
    current.current = new Session(user, purpose)
    setSession(current.current)
    setRun(undefined)
  }, [])
  if (session === undefined) return <p className="fault">The stack has no user that can ask here.</p>
  return (
    <>
      {/* the menus come first for a keyboard too, and need the state of GraphiQL */}
      <div className="menu-place" ref={setMenuPlace} />
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        initialQuery={session.user.query}
        defaultQuery={session.user.query}
        isHeadersEditorEnabled={false}
        shouldPersistHeaders={false}
        showPersistHeadersSettings={false}
      >
        <GraphiQL.Logo>
          <span />
        </GraphiQL.Logo>
        {menuPlace && createPortal(<Header config={config} session={session} choose={choose} />, menuPlace)}
        <PlanPane config={config} session={session} run={run} />
      </GraphiQL>
    </>
  )
}

interface HeaderProps {
  readonly config: ExplorerConfig
  readonly session: Session
  readonly choose: (user: ExplorerUser, purpose: string | undefined) => void
}

/** The menus. A choice replaces the query in the editor only if it is still the example of the user before. */
function Header({ config, session, choose }: HeaderProps) {
  const editor = useGraphiQL((state) => state.queryEditor)
  const response = useGraphiQL((state) => state.responseEditor)
  const variables = useGraphiQL((state) => state.variableEditor)
  useEffect(() => {
    // three columns leave less room than the two of GraphiQL
    for (const one of [editor, response, variables]) one?.updateOptions({ fontSize: 13, lineHeight: 20 })
  }, [editor, response, variables])
  const change = (user: ExplorerUser, purpose: string | undefined): void => {
    // the answer belongs to the user and purpose before
    response?.setValue('')
    choose(user, purpose)
  }
  const chooseUser = (user: ExplorerUser): void => {
    const written = editor?.getValue().trim() ?? ''
    if (written === '' || config.users.some(({ query }) => query === written)) editor?.setValue(user.query)
    change(user, user.purposes[0])
  }
  return (
    <Menu
      users={config.users}
      session={session}
      onUser={chooseUser}
      onPurpose={(purpose) => change(session.user, purpose)}
      onExample={() => editor?.setValue(session.user.query)}
    />
  )
}

function firstSession({ users }: ExplorerConfig): Session | undefined {
  const user = users.find(({ disabled }) => disabled === undefined)
  return user && new Session(user, user.purposes[0])
}

/** @param isCurrent whether the session is still the chosen one. A late answer to the user before is not shown */
function fetcherOf(session: Session | undefined, isCurrent: () => boolean, ran: (run: Run) => void): GraphiQLProps['fetcher'] {
  return async (operation) => {
    const answer = (await session?.ask(operation)) ?? {}
    if (!isCurrent()) throw new Error('The user or the purpose changed. Run the operation again.')
    if (operation.operationName === INTROSPECTION) return answer
    ran({ operation, answer })
    // a reader looks for the values first; JSON has no order
    return Object.fromEntries(Object.entries(answer).toSorted(([left], [right]) => rank(left) - rank(right)))
  }
}

const rank = (name: string): number => ['data', 'errors', 'extensions'].indexOf(name)
