import { createRoot } from "react-dom/client";
import "../../page/base.css";
import "./lists.css";
import { App } from "./App.tsx";

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(<App />);
}
