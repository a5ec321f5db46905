import { useState } from "react";
import { api } from "./api.ts";
import { EditItem } from "./EditItem.tsx";
import type { Item } from "./types.ts";

interface Props {
  item: Item;
  mayChange: boolean;
  refused: (error: Error) => void;
}

export function ListItem({ item, mayChange, refused }: Props) {
  const [isEdited, setEdited] = useState(false);
  const { id, name, isPurchased, purchasedBy, isPending = false } = item;
  const fixed = !mayChange || isPending;
  if (isEdited) {
    return <EditItem item={item} done={() => setEdited(false)} refused={refused} />;
  }
  return (
    <li className="item changed" data-testid={`item-${name}`} data-bought={isPurchased} data-pending={isPending}>
      <input
        id={`tick-${id}`}
        type="checkbox"
        checked={isPurchased}
        disabled={fixed}
        onChange={() => void api.purchase(item, !isPurchased).catch(refused)}
      />
      <label htmlFor={`tick-${id}`} className="grow name">
        {name}
      </label>
      {purchasedBy !== null && <span className="badge">{purchasedBy.displayName}</span>}
      <button type="button" aria-label={`Edit ${name}`} disabled={fixed} onClick={() => setEdited(true)}>
        ✎
      </button>
      <button type="button" aria-label={`Delete ${name}`} disabled={fixed} onClick={() => void api.remove(item).catch(refused)}>
        ×
      </button>
    </li>
  );
}
