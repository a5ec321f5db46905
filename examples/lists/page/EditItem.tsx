// An item while its name is being edited. Another user's change meanwhile is shown with their name, and is not
// overwritten without asking.

import { type FormEvent, useState } from "react";
import { api } from "./api.ts";
import type { Item } from "./types.ts";

interface Props {
  item: Item;
  done: () => void;
  refused: (error: Error) => void;
}

export function EditItem({ item, done, refused }: Props) {
  const [before] = useState(item.name);
  const [name, setName] = useState(item.name);
  const isConflict = item.name !== before;
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") {
      api.edit(item, name.trim()).then(done, refused);
    }
  };
  return (
    <li className="item" data-testid="edited">
      <form className="edit" onSubmit={save}>
        <input
          aria-label={`New name of ${before}`}
          data-testid="edit-name"
          maxLength={200}
          value={name}
          autoFocus
          onChange={(event) => setName(event.target.value)}
        />
        <button type="submit" className="primary" data-testid="edit-save">
          {isConflict ? "Save mine" : "Save"}
        </button>
        <button type="button" data-testid="edit-cancel" onClick={done}>
          {isConflict ? "Keep theirs" : "Cancel"}
        </button>
        {isConflict && (
          <p className="notice" role="alert" data-testid="conflict">
            {item.updatedBy?.displayName ?? "Somebody"} has changed it to “{item.name}”.
          </p>
        )}
      </form>
    </li>
  );
}
